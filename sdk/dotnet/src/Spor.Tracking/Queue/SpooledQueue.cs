using System;
using System.Collections.Generic;
using System.Threading;

namespace Spor.Tracking;

/// <summary>
/// The queue of a client with a spool: on disk, and in memory as long as the disk refuses. A full or broken disk thus costs
/// safety, never the events at hand.
/// </summary>
internal sealed class SpooledQueue(SpoolQueue spool, MemoryQueue memory, Action<Exception?> onDiskState) : IEventQueue
{
    private bool diskFails;
    private IEventQueue peeked = spool;

    /// <summary>Whether the disk refused the events appended last.</summary>
    public bool DiskFails => Volatile.Read(ref diskFails);

    public int Count => spool.Count + memory.Count;

    public long Bytes => spool.Bytes + memory.Bytes;

    public QueueMark End => new(spool.End.Spooled, memory.End.InMemory);

    public bool IsSettled(QueueMark mark) => spool.IsSettled(mark) && memory.IsSettled(mark);

    public int Unsaved => memory.Count;

    public void Append(List<QueuedEvent> events)
    {
        if (!Try(() => spool.Append(events)))
        {
            memory.Append(events);
        }
    }

    /// <summary>Takes over what processes that have ended left on disk. Gives how many events.</summary>
    public int RecoverOrphans()
    {
        var events = 0;
        Try(() => events = spool.RecoverOrphans());
        return events;
    }

    public void Peek(List<QueuedEvent> batch, int maxEvents, int maxBytes)
    {
        peeked = spool;
#pragma warning disable CA1031 // See Try.
        try
        {
            spool.Peek(batch, maxEvents, maxBytes);
        }
        catch (Exception error)
        {
            batch.Clear();
            spool.Release();
            onDiskState(error);
        }
#pragma warning restore CA1031

        if (batch.Count == 0)
        {
            peeked = memory;
            memory.Peek(batch, maxEvents, maxBytes);
        }
    }

    public void Settle(List<int>? keep) => peeked.Settle(keep);

    public void Release() => peeked.Release();

    public List<QueuedEvent> TakeUnsaved() => memory.TakeUnsaved();

    public void Dispose() => spool.Dispose();

    private bool Try(Action write)
    {
        Exception? failure = null;
#pragma warning disable CA1031 // Whatever is wrong with the disk or its path, the events at hand must not be lost to it.
        try
        {
            write();
        }
        catch (Exception error)
        {
            failure = error;
        }
#pragma warning restore CA1031

        var fails = failure is not null;
        if (fails != Volatile.Read(ref diskFails))
        {
            Volatile.Write(ref diskFails, fails);
            onDiskState(failure);
        }

        return !fails;
    }
}
