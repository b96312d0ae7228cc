// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>One of the filters of Search.</summary>
public sealed class SearchFilter
{
    /// <summary>Creates it with the fields every SearchFilter has.</summary>
    /// <param name="field">Name of the filtered field.</param>
    /// <param name="values">Chosen values; a match needs one of them.</param>
    public SearchFilter(string field, IReadOnlyList<string> values)
    {
        Field = field;
        Values = values;
    }

    /// <summary>Name of the filtered field.</summary>
    public string Field { get; set; }

    /// <summary>Chosen values; a match needs one of them.</summary>
    public IReadOnlyList<string> Values { get; set; }

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        if (Field is { } field)
        {
            writer.WriteString("field"u8, field);
        }

        if (Values is { } values)
        {
            writer.WriteStartArray("values"u8);
            foreach (var item in values)
            {
                writer.WriteStringValue(item);
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }
}
