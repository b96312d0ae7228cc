// Written by tools/generate-models.ts from schemas/. Do not edit.
using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>Fields every event has, whatever its type.</summary>
/// <remarks>
/// Once handed to <see cref="TrackingClient.Track(TrackingEvent)"/> an event must not be changed: it is written as JSON later, on another
/// thread.
/// </remarks>
public abstract class TrackingEvent
{
    private protected TrackingEvent()
    {
    }

    /// <summary>The event type, as the receiver knows it.</summary>
    public abstract string EventType { get; }

    /// <summary>UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised. Null: the client makes one (version 7) when the event is tracked.</summary>
    public Guid? EventId { get; set; }

    /// <summary>When it happened by the sender's clock: RFC 3339 with a zone, at most microseconds are kept. Null: the time when it is tracked.</summary>
    public DateTimeOffset? Timestamp { get; set; }

    /// <summary>The visit: ends after 30 minutes without activity.</summary>
    public string? SessionId { get; set; }

    /// <summary>The visitor's first-party pseudonymous id.</summary>
    public string? AnonymousId { get; set; }

    /// <summary>The shop's own id of a signed-in customer.</summary>
    public string? UserId { get; set; }

    /// <summary>What the visitor has agreed to.</summary>
    public Consent? Consent { get; set; }

    /// <summary>Where in the shop it happened.</summary>
    public EventContext? Context { get; set; }

    /// <summary>Anything else the shop wants to keep with the event. Stored as JSON text, not interpreted.</summary>
    public IReadOnlyDictionary<string, object?>? Properties { get; set; }

    /// <summary>Experiments in force, each with the variant that the visitor has.</summary>
    public IReadOnlyList<Experiment>? Experiments { get; set; }

    internal abstract void WriteFields(Utf8JsonWriter writer);

    internal void WriteCommonFields(Utf8JsonWriter writer, Visitor? visitor)
    {
        if ((SessionId ?? visitor?.SessionId) is { } sessionId)
        {
            writer.WriteString("sessionId"u8, sessionId);
        }

        if ((AnonymousId ?? visitor?.AnonymousId) is { } anonymousId)
        {
            writer.WriteString("anonymousId"u8, anonymousId);
        }

        if ((UserId ?? visitor?.UserId) is { } userId)
        {
            writer.WriteString("userId"u8, userId);
        }

        if ((Consent ?? visitor?.Consent) is { } consent)
        {
            writer.WritePropertyName("consent"u8);
            consent.Write(writer);
        }

        if ((Context ?? visitor?.Context) is { } context)
        {
            writer.WritePropertyName("context"u8);
            context.Write(writer);
        }

        if (Properties is { } properties)
        {
            writer.WritePropertyName("properties"u8);
            JsonValue.Write(writer, properties);
        }

        if (Experiments is { } experiments)
        {
            writer.WriteStartArray("experiments"u8);
            foreach (var item in experiments)
            {
                item.Write(writer);
            }

            writer.WriteEndArray();
        }
    }
}
