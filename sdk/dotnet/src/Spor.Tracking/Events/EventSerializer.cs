using System;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>Writes events as compact JSON, one after the other on one thread.</summary>
internal sealed class EventSerializer : IDisposable
{
    private readonly MemoryStream buffer = new(1024);
    private readonly Utf8JsonWriter writer;

    public EventSerializer()
    {
        // The text goes into a JSON body, never into HTML: letters beyond ASCII need no escape.
        writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
    }

    /// <summary>The event as JSON.</summary>
    /// <remarks>Throws whatever the event's own lists and properties throw when read.</remarks>
    public QueuedEvent Serialize(in TrackedEvent tracked)
    {
        buffer.SetLength(0);
        writer.Reset(buffer);
        writer.WriteStartObject();
        writer.WriteString("eventId"u8, tracked.EventId);
        writer.WriteString("type"u8, tracked.Event.EventType);
        writer.WriteString("timestamp"u8, tracked.Timestamp.UtcDateTime);
        tracked.Event.WriteCommonFields(writer, tracked.Visitor);
        tracked.Event.WriteFields(writer);
        writer.WriteEndObject();
        writer.Flush();
        return new QueuedEvent(tracked.EventId, tracked.Event.EventType, buffer.ToArray());
    }

    public void Dispose()
    {
        writer.Dispose();
        buffer.Dispose();
    }
}
