using System;
using System.Text;

namespace Spor.Tracking;

/// <summary>What is told of an event that was given up.</summary>
public sealed class DroppedEvent
{
    private readonly byte[]? json;
    private readonly TrackedEvent tracked;

    internal DroppedEvent(DropReason reason, in QueuedEvent queued, string message)
    {
        Reason = reason;
        EventId = queued.EventId;
        EventType = queued.EventType;
        Message = message;
        json = queued.Json;
    }

    internal DroppedEvent(DropReason reason, in TrackedEvent tracked, string message)
    {
        Reason = reason;
        EventId = tracked.EventId;
        EventType = tracked.Event.EventType;
        Message = message;
        this.tracked = tracked;
    }

    internal DroppedEvent(DropReason reason, int count, string message)
    {
        Reason = reason;
        Count = count;
        Message = message;
    }

    /// <summary>Why it was given up.</summary>
    public DropReason Reason { get; }

    /// <summary>Id of the event; null where <see cref="Count"/> events are reported together.</summary>
    public Guid? EventId { get; }

    /// <summary>Type of the event; null where <see cref="Count"/> events are reported together.</summary>
    public string? EventType { get; }

    /// <summary>The receiver's stable error code, where it was the receiver that refused the event.</summary>
    public string? Code { get; internal set; }

    /// <summary>JSON pointer to the fault within the event, where the receiver gave one.</summary>
    public string? Path { get; internal set; }

    /// <summary>What is wrong, in English.</summary>
    public string Message { get; }

    /// <summary>How many events this report stands for.</summary>
    public int Count { get; } = 1;

    /// <summary>
    /// The event as it was or would have been sent; null where <see cref="Count"/> events are reported together or the event has no
    /// form in JSON.
    /// </summary>
    public string? ToJson()
    {
        if (json is not null)
        {
            return Encoding.UTF8.GetString(json);
        }

        if (tracked.Event is null || Reason == DropReason.Invalid)
        {
            return null;
        }

        using var serializer = new EventSerializer();
        return Encoding.UTF8.GetString(serializer.Serialize(tracked).Json);
    }
}
