using System;
using System.Collections.Generic;

namespace Spor.Tracking;

/// <summary>The queue of a client without a spool: a ring in memory, bounded by count and bytes.</summary>
internal sealed class MemoryQueue(int maxEvents, long maxBytes, Action<QueuedEvent> onOverflow) : IEventQueue
{
    private readonly object gate = new();
    private Entry[] ring = new Entry[64];
    private int first;
    private int count;

    /// <summary>How many of the oldest are in flight.</summary>
    private int flight;

    private long bytes;
    private long appended;

    public int Count
    {
        get
        {
            lock (gate)
            {
                return count;
            }
        }
    }

    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return bytes;
            }
        }
    }

    public QueueMark End
    {
        get
        {
            lock (gate)
            {
                return new QueueMark(0, appended);
            }
        }
    }

    public bool IsSettled(QueueMark mark)
    {
        lock (gate)
        {
            return count == 0 || At(0).Sequence >= mark.InMemory;
        }
    }

    public int Unsaved => Count;

    public void Append(List<QueuedEvent> events)
    {
        lock (gate)
        {
            foreach (var added in events)
            {
                while (count > flight && (count + 1 > maxEvents || bytes + added.Json.Length > maxBytes))
                {
                    onOverflow(RemoveAt(flight));
                }

                if (count == ring.Length)
                {
                    Grow();
                }

                At(count++) = new Entry(added, appended++);
                bytes += added.Json.Length;
            }
        }
    }

    public void Peek(List<QueuedEvent> batch, int maxEvents, int maxBytes)
    {
        lock (gate)
        {
            var size = 0L;
            for (flight = 0; flight < count && flight < maxEvents; flight++)
            {
                var next = At(flight).Event;
                size += next.Json.Length + (flight > 0 ? 1 : 0);
                if (flight > 0 && size > maxBytes)
                {
                    break;
                }

                batch.Add(next);
            }
        }
    }

    public void Settle(List<int>? keep)
    {
        lock (gate)
        {
            var kept = 0;
            for (var i = 0; i < flight; i++)
            {
                if (keep is not null && keep.Contains(i))
                {
                    kept++;
                }
                else
                {
                    RemoveAt(kept);
                }
            }

            flight = 0;
        }
    }

    public void Release()
    {
        lock (gate)
        {
            flight = 0;
        }
    }

    public List<QueuedEvent> TakeUnsaved()
    {
        lock (gate)
        {
            var rest = new List<QueuedEvent>(count);
            while (count > 0)
            {
                rest.Add(RemoveAt(0));
            }

            return rest;
        }
    }

    public void Dispose()
    {
    }

    private ref Entry At(int index) => ref ring[(first + index) % ring.Length];

    /// <summary>Takes one of the oldest out by moving those before it up: cheap at the front, where alone it happens.</summary>
    private QueuedEvent RemoveAt(int index)
    {
        var removed = At(index).Event;
        for (var i = index; i > 0; i--)
        {
            At(i) = At(i - 1);
        }

        At(0) = default;
        first = (first + 1) % ring.Length;
        count--;
        bytes -= removed.Json.Length;
        return removed;
    }

    private void Grow()
    {
        var larger = new Entry[ring.Length * 2];
        for (var i = 0; i < count; i++)
        {
            larger[i] = At(i);
        }

        ring = larger;
        first = 0;
    }

    private readonly struct Entry(QueuedEvent queued, long sequence)
    {
        public QueuedEvent Event { get; } = queued;

        public long Sequence { get; } = sequence;
    }
}
