// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>One of the experiments of TrackingEvent.</summary>
public sealed class Experiment
{
    /// <summary>Creates it with the fields every Experiment has.</summary>
    /// <param name="id">The experiment.</param>
    /// <param name="variant">The variant, such as control or b.</param>
    public Experiment(string id, string variant)
    {
        Id = id;
        Variant = variant;
    }

    /// <summary>The experiment.</summary>
    public string Id { get; set; }

    /// <summary>The variant, such as control or b.</summary>
    public string Variant { get; set; }

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        if (Id is { } id)
        {
            writer.WriteString("id"u8, id);
        }

        if (Variant is { } variant)
        {
            writer.WriteString("variant"u8, variant);
        }

        writer.WriteEndObject();
    }
}
