using System;
using System.Collections.Generic;

namespace Spor.Tracking;

/// <summary>
/// Events waiting to be sent, oldest first. One thread appends, one thread peeks and settles; an event leaves only when its
/// answer is known, or when the queue is full and it is the oldest that is not in flight.
/// </summary>
internal interface IEventQueue : IDisposable
{
    /// <summary>Events waiting, those in flight included.</summary>
    int Count { get; }

    /// <summary>Their JSON in bytes.</summary>
    long Bytes { get; }

    /// <summary>The mark after the event appended last.</summary>
    QueueMark End { get; }

    /// <summary>Whether every event before the mark has left the queue.</summary>
    bool IsSettled(QueueMark mark);

    /// <summary>Events that would be lost with the process.</summary>
    int Unsaved { get; }

    /// <summary>Adds events at the end; what has to make room is reported as dropped.</summary>
    void Append(List<QueuedEvent> events);

    /// <summary>
    /// Puts the oldest events into <paramref name="batch"/>, at most <paramref name="maxEvents"/> and
    /// <paramref name="maxBytes"/> with one byte between two, but at least one, and holds them in flight.
    /// </summary>
    void Peek(List<QueuedEvent> batch, int maxEvents, int maxBytes);

    /// <summary>Ends the flight of the batch of the last <see cref="Peek"/>: all leave except those at the given positions.</summary>
    void Settle(List<int>? keep);

    /// <summary>Ends the flight of the batch of the last <see cref="Peek"/>: all stay.</summary>
    void Release();

    /// <summary>Takes out what would be lost with the process.</summary>
    List<QueuedEvent> TakeUnsaved();
}
