using System;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Spor.Tracking;

/// <summary>The instruments of the meter <c>Spor.Tracking</c>.</summary>
internal sealed class TrackingMetrics : IDisposable
{
    public const string MeterName = "Spor.Tracking";

    private readonly Meter meter;
    private readonly Counter<long> queued;
    private readonly Counter<long> sent;
    private readonly Counter<long> retried;
    private readonly Counter<long> dropped;
    private readonly Histogram<double> duration;
    private readonly string clientName;
    private readonly Action<Exception> onFault;

    public TrackingMetrics(
        IMeterFactory? factory,
        string clientName,
        Func<int> waitingEvents,
        Func<long> waitingBytes,
        Action<Exception> onFault)
    {
        this.clientName = clientName;
        this.onFault = onFault;
        meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        queued = meter.CreateCounter<long>("spor.tracking.events.queued", "{event}", "Events taken into the queue.");
        sent = meter.CreateCounter<long>("spor.tracking.events.sent", "{event}", "Events the receiver has accepted.");
        retried = meter.CreateCounter<long>("spor.tracking.events.retried", "{event}", "Events that had to be sent again.");
        dropped = meter.CreateCounter<long>("spor.tracking.events.dropped", "{event}", "Events given up, by reason.");
        duration = meter.CreateHistogram<double>("spor.tracking.request.duration", "s", "Time to an answer, by HTTP status; 0: none.");
        meter.CreateObservableGauge(
            "spor.tracking.queue.events",
            () => new Measurement<int>(waitingEvents(), Tags()),
            "{event}",
            "Events that wait to be sent.");
        meter.CreateObservableGauge(
            "spor.tracking.queue.bytes",
            () => new Measurement<long>(waitingBytes(), Tags()),
            "By",
            "JSON of the events that wait to be sent.");
    }

    public void Queued(long events) => Add(queued, events, Tags());

    public void Sent(long events) => Add(sent, events, Tags());

    public void Retried(long events) => Add(retried, events, Tags());

    public void Dropped(DropReason reason, long events)
    {
        var tags = Tags();
        tags.Add("reason", Name(reason));
        Add(dropped, events, tags);
    }

    public void Answered(int status, TimeSpan elapsed)
    {
        var tags = Tags();
        tags.Add("http.response.status_code", status);
#pragma warning disable CA1031 // See Add.
        try
        {
            duration.Record(elapsed.TotalSeconds, tags);
        }
        catch (Exception error)
        {
            onFault(error);
        }
#pragma warning restore CA1031
    }

    // A meter of a factory belongs to the factory, which shares it between clients; disposing it twice is harmless.
    public void Dispose() => meter.Dispose();

    /// <summary>The reason as metrics and logs name it.</summary>
    public static string Name(DropReason reason) => reason switch
    {
        DropReason.Rejected => "rejected",
        DropReason.Refused => "refused",
        DropReason.TooLarge => "too_large",
        DropReason.Overflow => "overflow",
        DropReason.Closed => "closed",
        DropReason.Unsent => "unsent",
        DropReason.RetriesExhausted => "retries_exhausted",
        DropReason.Invalid => "invalid",
        DropReason.NoConsent => "no_consent",
        DropReason.Damaged => "damaged",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "no such reason"),
    };

    private void Add(Counter<long> counter, long events, in TagList tags)
    {
#pragma warning disable CA1031 // Listeners are the host's and run here: what they throw must not cost events.
        try
        {
            counter.Add(events, tags);
        }
        catch (Exception error)
        {
            onFault(error);
        }
#pragma warning restore CA1031
    }

    private TagList Tags()
    {
        var tags = default(TagList);
        if (clientName.Length > 0)
        {
            tags.Add("spor.client", clientName);
        }

        return tags;
    }
}
