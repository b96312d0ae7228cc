using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Spor.Tracking;

/// <summary>
/// Sends events to a Spor Event Receiver in the background. Thread-safe; create one per process and instrumentation key and
/// dispose it when the process ends.
/// </summary>
public class TrackingClient : IAsyncDisposable, IDisposable
{
    private static readonly TimeSpan AdoptInterval = TimeSpan.FromMinutes(1);

    private readonly Pipeline pipeline = null!;
    private readonly ILogger logger = NullLogger.Instance;
    private readonly TimeProvider time = TimeProvider.System;
    private readonly IVisitorAccessor? visitorAccessor;
    private readonly object gate = new();
    private Task? closing;

    /// <summary>Creates a client that brings all it needs.</summary>
    /// <exception cref="ArgumentException">Settings are missing or out of range; the message names all of them.</exception>
    public TrackingClient(TrackingClientOptions options)
        : this(options, null)
    {
    }

    /// <summary>Creates a client that uses what the host has.</summary>
    /// <exception cref="ArgumentException">Settings are missing or out of range; the message names all of them.</exception>
    public TrackingClient(TrackingClientOptions options, TrackingClientServices? services)
    {
        if (options is null)
        {
            throw new ArgumentNullException(nameof(options));
        }

        var faults = TrackingClientOptionsValidator.Faults(options);
        if (faults.Count > 0)
        {
            throw new ArgumentException(string.Join(" ", faults), nameof(options));
        }

        services ??= new TrackingClientServices();
        time = services.TimeProvider ?? TimeProvider.System;
        logger = new SteadyLogger((services.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger<TrackingClient>());
        visitorAccessor = services.VisitorAccessor;
        pipeline = new Pipeline(options.Copy(), services, time, logger);
        pipeline.Start(AdoptInterval);
    }

    /// <summary>For tests of the host's code, which may override the members.</summary>
    protected TrackingClient()
    {
    }

    /// <summary>What the client has done and is doing.</summary>
    public virtual TrackingStatistics Statistics => pipeline.ReadStatistics();

    /// <summary>
    /// Takes an event to be sent in the background. Returns at once, waits for nothing and throws nothing, whatever the state of
    /// the receiver. What it leaves out (id, time, visitor) is filled in here.
    /// </summary>
    /// <param name="trackingEvent">The event; must not be changed afterwards.</param>
    /// <returns>False when the event was dropped: the client is closed, or the visitor has not agreed.</returns>
    public virtual bool Track(TrackingEvent trackingEvent) => Track(trackingEvent, null);

    /// <summary>Takes an event for a visitor the caller names, as in work that goes on after the request.</summary>
    /// <param name="trackingEvent">The event; must not be changed afterwards.</param>
    /// <param name="visitor">Fills in what the event leaves out; null: the visitor of the current request.</param>
    /// <returns>False when the event was dropped: the client is closed, or the visitor has not agreed.</returns>
    public virtual bool Track(TrackingEvent trackingEvent, Visitor? visitor)
    {
#pragma warning disable CA1031 // Tracking never throws into the host.
        try
        {
            if (trackingEvent is null)
            {
                logger.TrackFailed(new ArgumentNullException(nameof(trackingEvent)));
                return false;
            }

            var now = time.GetUtcNow();
            var tracked = new TrackedEvent(
                trackingEvent,
                trackingEvent.EventId ?? UuidV7.Create(now),
                trackingEvent.Timestamp ?? now,
                visitor ?? visitorAccessor?.Visitor);
            return pipeline.TryAdd(tracked);
        }
        catch (Exception error)
        {
            logger.TrackFailed(error);
            pipeline.Reject(trackingEvent, error);
            return false;
        }
#pragma warning restore CA1031
    }

    /// <summary>
    /// Sends now what waits, without waiting out a backoff. Flushes at the same time share the same requests.
    /// </summary>
    /// <returns>
    /// True when every event tracked before the call was accepted, refused or dropped. False when the receiver does not take
    /// events at present: they stay and will be sent later.
    /// </returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the events stay.</exception>
    public virtual Task<bool> FlushAsync(CancellationToken cancellationToken = default) =>
        Cancellable(pipeline.FlushAsync(), cancellationToken);

    /// <summary>Makes sure that what was tracked survives the end of the process.</summary>
    /// <returns>True when every event tracked before the call is on disk; false without a spool, or where the disk refuses.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public virtual Task<bool> PersistAsync(CancellationToken cancellationToken = default) =>
        Cancellable(pipeline.PersistAsync(), cancellationToken);

    /// <summary>
    /// Sends what waits, for at most <see cref="TrackingClientOptions.ShutdownTimeout"/>, and closes the client. What could not be
    /// sent stays in the spool; without one it is reported as dropped, reason <see cref="DropReason.Unsent"/>.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>Does the same as <see cref="DisposeAsync"/> and blocks meanwhile.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Whether nothing moves until an event, a flush, a timer or an answer comes.</summary>
    /// <param name="requestWaits">Whether a request waits for its answer.</param>
    internal bool IsIdle(bool requestWaits) => pipeline.IsIdle(requestWaits);

    /// <summary>Takes out what waits in memory, for tests to look at.</summary>
    internal List<QueuedEvent> TakeUnsaved() => pipeline.TakeUnsaved();

    /// <summary>Closes the client.</summary>
    /// <param name="disposing">Always true.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            // Not on this thread: a synchronization context here may wait for us.
            Task.Run(CloseAsync).GetAwaiter().GetResult();
        }
    }

    private Task CloseAsync()
    {
        if (pipeline is null)
        {
            return Task.CompletedTask;
        }

        lock (gate)
        {
            return closing ??= pipeline.CloseAsync();
        }
    }

    private static Task<bool> Cancellable(Task<bool> task, CancellationToken cancellationToken)
    {
        if (!cancellationToken.CanBeCanceled || task.IsCompleted)
        {
            return task;
        }

#if NET
        return task.WaitAsync(cancellationToken);
#else
        return OrCancelled(task, cancellationToken);
#endif
    }

#if !NET
    private static async Task<bool> OrCancelled(Task<bool> task, CancellationToken cancellationToken)
    {
        var cancelled = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        using (cancellationToken.Register(static state => ((TaskCompletionSource<bool>)state!).TrySetCanceled(), cancelled))
        {
            return await (await Task.WhenAny(task, cancelled.Task).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }
#endif
}
