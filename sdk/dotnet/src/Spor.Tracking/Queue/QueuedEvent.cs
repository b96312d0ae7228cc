using System;

namespace Spor.Tracking;

/// <summary>An event ready to be sent: its JSON, and what a report about it names.</summary>
internal readonly struct QueuedEvent(Guid eventId, string eventType, byte[] json)
{
    public Guid EventId { get; } = eventId;

    public string EventType { get; } = eventType;

    public byte[] Json { get; } = json;
}
