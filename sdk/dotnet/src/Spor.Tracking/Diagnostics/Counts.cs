using System;
using System.Collections.Generic;
using System.Threading;

namespace Spor.Tracking;

/// <summary>Counts what becomes of events, for statistics and metrics alike, and tells the host of each drop.</summary>
internal sealed class Counts(TrackingMetrics metrics, Notifier notifier)
{
#if NET
    private static readonly DropReason[] Reasons = Enum.GetValues<DropReason>();
#else
    private static readonly DropReason[] Reasons = (DropReason[])Enum.GetValues(typeof(DropReason));
#endif

    private readonly long[] dropped = new long[Reasons.Length];
    private long tracked;
    private long sent;
    private long retried;

    public void Tracked(int events)
    {
        Interlocked.Add(ref tracked, events);
        metrics.Queued(events);
    }

    public void Sent(int events)
    {
        Interlocked.Add(ref sent, events);
        metrics.Sent(events);
    }

    public void Retried(int events)
    {
        Interlocked.Add(ref retried, events);
        metrics.Retried(events);
    }

    public void Dropped(DroppedEvent report)
    {
        Interlocked.Add(ref dropped[(int)report.Reason], report.Count);
        metrics.Dropped(report.Reason, report.Count);
        notifier.Tell(report);
    }

    public void Dropped(DropReason reason, in QueuedEvent queued, string message) =>
        Dropped(new DroppedEvent(reason, queued, message));

    public TrackingStatistics Read()
    {
        var reasons = new Dictionary<DropReason, long>();
        foreach (var reason in Reasons)
        {
            var events = Interlocked.Read(ref dropped[(int)reason]);
            if (events > 0)
            {
                reasons.Add(reason, events);
            }
        }

        return new TrackingStatistics(
            Interlocked.Read(ref tracked),
            Interlocked.Read(ref sent),
            Interlocked.Read(ref retried),
            reasons);
    }
}
