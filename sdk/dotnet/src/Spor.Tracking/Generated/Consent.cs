// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>What the visitor has agreed to.</summary>
public sealed class Consent
{
    /// <summary>Agreed to analytics.</summary>
    public bool? Analytics { get; set; }

    /// <summary>Agreed to personalization.</summary>
    public bool? Personalization { get; set; }

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        if (Analytics is { } analytics)
        {
            writer.WriteBoolean("analytics"u8, analytics);
        }

        if (Personalization is { } personalization)
        {
            writer.WriteBoolean("personalization"u8, personalization);
        }

        writer.WriteEndObject();
    }
}
