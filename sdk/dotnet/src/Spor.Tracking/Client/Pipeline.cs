using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>
/// Everything behind a client: builds the parts, starts their loops and closes them in reverse: no more events in, what is in the
/// buffer into the queue, the queue to the receiver until the deadline, the rest reported.
/// </summary>
internal sealed class Pipeline
{
    private readonly TrackingClientOptions options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly TrackingMetrics metrics;
    private readonly Notifier notifier;
    private readonly Counts counts;
    private readonly IEventQueue queue;
    private readonly SpooledQueue? spooled;
    private readonly Delivery delivery;
    private readonly Sender sender;
    private readonly Signal pumpSignal = new();
    private readonly Intake intake;
    private readonly Pump pump;
    private readonly HttpClient? ownHttpClient;

    // Never disposed: the deadline of the close may fire while it is being disposed, and would throw in the host's process.
    // Without a timer or a wait handle of its own it holds nothing.
    private readonly CancellationTokenSource abort = new();

    private ITimer? flushTimer;
    private ITimer? orphanTimer;
    private Task running = Task.CompletedTask;
    private volatile bool closed;

    public Pipeline(TrackingClientOptions options, TrackingClientServices services, TimeProvider time, ILogger logger)
    {
        this.options = options;
        this.time = time;
        this.logger = logger;
        var dropLog = new DropLog(logger, time);
        notifier = new Notifier(report => Call(report, dropLog), logger.CallbackFailed);
        metrics = new TrackingMetrics(services.MeterFactory, services.Name, () => queue!.Count, () => queue!.Bytes, logger.CallbackFailed);
        counts = new Counts(metrics, notifier);
        queue = CreateQueue(out spooled);
        var createClient = services.CreateHttpClient;
        if (createClient is null)
        {
            var own = ownHttpClient = OwnHttpClient.Create();
            createClient = () => own;
        }

        var backoff = new Backoff(options.RetryDelay, options.MaxRetryDelay, options.MaxRetryAfter, services.Random ?? CreateRandom());
        delivery = new Delivery(queue, counts, notifier, backoff, options, time, logger);
        var receiver = new HttpReceiver(options, createClient, time);
        sender = new Sender(queue, () => pump!.DrainBufferAsync(), receiver, delivery, options, metrics, time, logger);
        intake = new Intake(options.MaxQueueEvents, pumpSignal, OnIntakeOverflow);
        pump = new Pump(intake, queue, sender, counts, options, pumpSignal, logger);
    }

    /// <summary>Whether nothing moves. The order matters: each part wakes only those after it.</summary>
    public bool IsIdle(bool requestWaits) =>
        (closed || (pump.IsIdle && (requestWaits || sender.IsIdle))) && notifier.IsIdle;

    /// <param name="orphanInterval">How often to look for events of processes that have ended.</param>
    public void Start(TimeSpan orphanInterval)
    {
        // The loops outlive the request that happens to create the client: they must not carry its context along.
        using (ExecutionContext.SuppressFlow())
        {
            running = Task.WhenAll(Task.Run(pump.RunAsync), Task.Run(() => sender.RunAsync(abort.Token)));
            flushTimer = time.CreateTimer(
                static state => ((Pump)state!).Tick(), pump, options.FlushInterval, options.FlushInterval);
            if (spooled is not null)
            {
                orphanTimer = time.CreateTimer(_ => pump.RecoverOrphans(spooled.RecoverOrphans), null, orphanInterval, orphanInterval);
                pump.RecoverOrphans(spooled.RecoverOrphans);
            }
        }

        logger.Started(options.Endpoint!, options.SpoolDirectory ?? "none");
    }

    public bool TryAdd(in TrackedEvent tracked)
    {
        if (tracked.Visitor is { MayBeTracked: false } && tracked.Event.SessionId is null && tracked.Event.AnonymousId is null)
        {
            DropAtOnce(DropReason.NoConsent, tracked, "The visitor has not agreed to analytics.");
            return false;
        }

        if (!intake.TryAdd(tracked))
        {
            DropAtOnce(DropReason.Closed, tracked, "The client is closed.");
            return false;
        }

        return true;
    }

    /// <summary>Drops an event that the host's own code, such as its visitor accessor, made impossible to take.</summary>
    public void Reject(TrackingEvent trackingEvent, Exception error)
    {
        var tracked = new TrackedEvent(trackingEvent, trackingEvent.EventId ?? Guid.Empty, time.GetUtcNow(), null);
        DropAtOnce(DropReason.Invalid, tracked, error.Message);
    }

    public Task<bool> FlushAsync() => pump.FlushAsync();

    public Task<bool> PersistAsync() => pump.PersistAsync();

    public List<QueuedEvent> TakeUnsaved() => queue.TakeUnsaved();

    public TrackingStatistics ReadStatistics()
    {
        var statistics = counts.Read();
        statistics.Queued = queue.Count;
        statistics.QueuedBytes = queue.Bytes;
        statistics.SpoolFails = spooled is { DiskFails: true };
        statistics.State = closed ? TrackingState.Closed
            : delivery.IsStopped ? TrackingState.Stopped
            : delivery.Failures > 0 ? TrackingState.Waiting
            : TrackingState.Sending;
        return statistics;
    }

    public async Task CloseAsync()
    {
        flushTimer?.Dispose();
        orphanTimer?.Dispose();
        intake.Close();
        using (time.CreateTimer(static state => ((CancellationTokenSource)state!).Cancel(), abort, options.ShutdownTimeout, Timeout.InfiniteTimeSpan))
        {
            pump.Close();
            await running.ConfigureAwait(false);
        }

        foreach (var lost in queue.TakeUnsaved())
        {
            counts.Dropped(DropReason.Unsent, lost, "The client was closed before the event could be sent, and there is no spool.");
        }

        var kept = queue.Count;
        var statistics = counts.Read();
        closed = true;
        long dropped = 0;
        foreach (var events in statistics.Dropped.Values)
        {
            dropped += events;
        }

        logger.Ended(statistics.Sent, dropped, kept);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await notifier.DrainAsync(patience.Token).ConfigureAwait(false);
        queue.Dispose();
        sender.Dispose();
        pump.Dispose();
        metrics.Dispose();
        ownHttpClient?.Dispose();
    }

    private static Func<double> CreateRandom()
    {
#if NET
        return Random.Shared.NextDouble;
#else
        // Used by the sender alone.
        return new Random().NextDouble;
#endif
    }

    private IEventQueue CreateQueue(out SpooledQueue? onDisk)
    {
        var memory = new MemoryQueue(options.MaxQueueEvents, options.MaxQueueBytes, OnOverflow);
        onDisk = null;
        if (options.SpoolDirectory is not { } directory)
        {
            return memory;
        }

        var reports = new SpoolReports
        {
            Overflow = OnOverflow,
            Damaged = OnDamaged,
            Adopted = (folder, events) =>
            {
                counts.Tracked(events);
                logger.SpoolAdopted(events, folder);
            },
            OtherKey = logger.SpoolOtherKey,
            NotExclusive = logger.SpoolNotExclusive,
            Failed = logger.SpoolCleanupFailed,
        };
        var settings = new SpoolSettings(directory, options.SpoolMaxBytes, KeyId(options.InstrumentationKey), options.SpoolAcceptAnyKey);
        onDisk = new SpooledQueue(new SpoolQueue(settings, reports, time), memory, OnDiskState);
        return onDisk;
    }

    private static string KeyId(string instrumentationKey)
    {
        const int Bytes = 8;
        using var sha256 = SHA256.Create();
        var hash = sha256.ComputeHash(Encoding.UTF8.GetBytes(instrumentationKey));
#pragma warning disable CA1308 // The receiver names keys in lower case.
        return BitConverter.ToString(hash, 0, Bytes).Replace("-", "").ToLowerInvariant();
#pragma warning restore CA1308
    }

    private void OnDiskState(Exception? failure)
    {
        if (failure is null)
        {
            logger.SpoolRecovered(options.SpoolDirectory!);
        }
        else
        {
            logger.SpoolFailed(failure, options.SpoolDirectory!);
        }
    }

    private void OnOverflow(QueuedEvent queued) =>
        counts.Dropped(DropReason.Overflow, queued, "The queue is full and the event was the oldest in it.");

    private void OnIntakeOverflow(TrackedEvent tracked)
    {
        counts.Tracked(1);
        var message = "Events come faster than they can be queued and the event was the oldest.";
        counts.Dropped(new DroppedEvent(DropReason.Overflow, tracked, message));
    }

    private void OnDamaged(string file, int events)
    {
        if (events == 0)
        {
            return;
        }

        logger.SpoolDamaged(events, file);
        counts.Dropped(new DroppedEvent(DropReason.Damaged, events, $"Events in {file} cannot be read."));
    }

    private void DropAtOnce(DropReason reason, in TrackedEvent tracked, string message)
    {
        counts.Tracked(1);
        counts.Dropped(new DroppedEvent(reason, tracked, message));
    }

    private void Call(object report, DropLog dropLog)
    {
        switch (report)
        {
            case DroppedEvent dropped:
                dropLog.Note(dropped);
                options.OnDropped?.Invoke(dropped);
                break;
            case RequestFailure failure:
                options.OnRequestFailed?.Invoke(failure);
                break;
            default:
                break;
        }
    }
}
