using System;

namespace Spor.Tracking;

/// <summary>An event as the caller left it, with what was decided on the caller's thread: its id, its time, its visitor.</summary>
internal readonly struct TrackedEvent(TrackingEvent trackingEvent, Guid eventId, DateTimeOffset timestamp, Visitor? visitor)
{
    public TrackingEvent Event { get; } = trackingEvent;

    public Guid EventId { get; } = eventId;

    public DateTimeOffset Timestamp { get; } = timestamp;

    public Visitor? Visitor { get; } = visitor;
}
