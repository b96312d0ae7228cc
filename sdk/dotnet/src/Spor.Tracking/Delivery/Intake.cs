using System;

namespace Spor.Tracking;

/// <summary>
/// The bounded buffer between the callers' threads and the pump. Full, it gives up its oldest event; it never makes a caller
/// wait for more than the copy of a few hundred references.
/// </summary>
/// <remarks>
/// A ring under one lock, emptied many events at a time. <c>System.Threading.Channels</c> takes its lock for every event on both
/// sides: with the pump draining at the same time Track cost one to two microseconds, and a tenth of that with this.
/// </remarks>
internal sealed class Intake(int capacity, Signal wake, Action<TrackedEvent> onOverflow)
{
    private readonly object gate = new();
    private TrackedEvent[] ring = new TrackedEvent[Math.Min(capacity, 1024)];
    private int first;
    private int count;
    private int wakeAt = 1;
    private bool closed;

    /// <summary>Events in the buffer.</summary>
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

    /// <summary>How many events in the buffer wake the pump. Until then a timer or a flush does.</summary>
    public void WakeAt(int events)
    {
        bool due;
        lock (gate)
        {
            wakeAt = events;
            due = count >= events;
        }

        if (due)
        {
            wake.Set();
        }
    }

    /// <summary>False: the buffer was closed.</summary>
    public bool TryAdd(in TrackedEvent tracked)
    {
        var oldest = default(TrackedEvent);
        bool full;
        bool due;
        lock (gate)
        {
            if (closed)
            {
                return false;
            }

            full = count == capacity;
            if (full)
            {
                oldest = ring[first];
                first = (first + 1) % ring.Length;
                count--;
            }
            else if (count == ring.Length)
            {
                Grow();
            }

            ring[(first + count) % ring.Length] = tracked;
            count++;
            due = count >= wakeAt;
        }

        if (full)
        {
            onOverflow(oldest);
        }

        if (due)
        {
            wake.Set();
        }

        return true;
    }

    /// <summary>Takes the oldest events, as many as fit. Gives how many.</summary>
    public int Take(TrackedEvent[] into)
    {
        lock (gate)
        {
            var taken = Math.Min(count, into.Length);
            var unbroken = Math.Min(taken, ring.Length - first);
            Array.Copy(ring, first, into, 0, unbroken);
            Array.Clear(ring, first, unbroken);
            Array.Copy(ring, 0, into, unbroken, taken - unbroken);
            Array.Clear(ring, 0, taken - unbroken);
            first = (first + taken) % ring.Length;
            count -= taken;
            return taken;
        }
    }

    /// <summary>Takes no more events; those in the buffer stay.</summary>
    public void Close()
    {
        lock (gate)
        {
            closed = true;
        }
    }

    private void Grow()
    {
        var larger = new TrackedEvent[Math.Min(capacity, ring.Length * 2)];
        var unbroken = ring.Length - first;
        Array.Copy(ring, first, larger, 0, unbroken);
        Array.Copy(ring, 0, larger, unbroken, first);
        ring = larger;
        first = 0;
    }
}
