// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>Where in the shop it happened.</summary>
public sealed class EventContext
{
    /// <summary>The page's address.</summary>
    public string? Url { get; set; }

    /// <summary>The address the visitor came from.</summary>
    public string? Referrer { get; set; }

    /// <summary>BCP 47 language tag, such as da-DK.</summary>
    public string? Locale { get; set; }

    /// <summary>Sales or marketing channel, in the shop's own words.</summary>
    public string? Channel { get; set; }

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        if (Url is { } url)
        {
            writer.WriteString("url"u8, url);
        }

        if (Referrer is { } referrer)
        {
            writer.WriteString("referrer"u8, referrer);
        }

        if (Locale is { } locale)
        {
            writer.WriteString("locale"u8, locale);
        }

        if (Channel is { } channel)
        {
            writer.WriteString("channel"u8, channel);
        }

        writer.WriteEndObject();
    }
}
