using System.Collections.Generic;

namespace Spor.Tracking;

/// <summary>Counts since the client was created. Tracked = Sent + all of Dropped + Queued, apart from those on their way.</summary>
public sealed class TrackingStatistics
{
    internal TrackingStatistics(long tracked, long sent, long retried, IReadOnlyDictionary<DropReason, long> dropped)
    {
        Tracked = tracked;
        Sent = sent;
        Retried = retried;
        Dropped = dropped;
    }

    /// <summary>Events taken: given to <c>Track</c>, or found in the spool.</summary>
    public long Tracked { get; }

    /// <summary>Events the receiver has accepted.</summary>
    public long Sent { get; }

    /// <summary>Events that had to be sent again, counted each time.</summary>
    public long Retried { get; }

    /// <summary>Events given up, by reason; reasons that did not occur are absent.</summary>
    public IReadOnlyDictionary<DropReason, long> Dropped { get; }

    /// <summary>Events that wait in the queue or the spool.</summary>
    public int Queued { get; internal set; }

    /// <summary>Their JSON in bytes.</summary>
    public long QueuedBytes { get; internal set; }

    /// <summary>What the client is doing.</summary>
    public TrackingState State { get; internal set; }

    /// <summary>Whether a spool is configured and the disk refuses it, so that events are in memory only.</summary>
    public bool SpoolFails { get; internal set; }
}
