using System;
using System.Collections.Generic;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>Logs drops: the first of a reason at once, then one line a minute at most with the count so far.</summary>
internal sealed class DropLog(ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Dictionary<DropReason, long> totals = [];
    private readonly Dictionary<DropReason, DateTimeOffset> quietUntil = [];

    /// <summary>Called by one thread at a time.</summary>
    public void Note(DroppedEvent report)
    {
        totals.TryGetValue(report.Reason, out var total);
        totals[report.Reason] = total += report.Count;
        if (report.Reason == DropReason.NoConsent)
        {
            // As it should be, and in some shops most of the traffic: the metric has it.
            return;
        }

        var now = time.GetUtcNow();
        if (quietUntil.TryGetValue(report.Reason, out var until) && now < until)
        {
            return;
        }

        quietUntil[report.Reason] = now + Interval;
        var detail = report.Code is null ? report.Message : $"{report.Code} {report.Path} {report.Message}";
        logger.Dropped(TrackingMetrics.Name(report.Reason), total, report.EventType, report.EventId, detail);
    }
}
