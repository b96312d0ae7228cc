using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>
/// Moves events from the buffer to the queue as JSON, in the background and one cycle at a time: what waits is written,
/// appended (with a spool: forced to disk), and then the sender is told what there is to do.
/// </summary>
internal sealed class Pump(
    Intake intake,
    IEventQueue queue,
    Sender sender,
    Counts counts,
    TrackingClientOptions options,
    Signal signal,
    ILogger logger) : IDisposable
{
    private const int MaxAtOnce = 512;

    /// <summary>Without a spool, so many tracked events wake the pump: their size is only known once they are written.</summary>
    private const int WakeBytesUnknown = 128;

    private readonly object gate = new();
    private readonly EventSerializer serializer = new();
    private readonly TrackedEvent[] taken = new TrackedEvent[MaxAtOnce];
    private readonly List<QueuedEvent> staged = new(MaxAtOnce);
    private List<Ask> asked = [];
    private Func<int>? adopt;
    private bool due;
    private bool closing;
    private bool ended;

    /// <summary>Whether the pump has nothing to do until it is woken.</summary>
    public bool IsIdle => signal.IsIdle || Volatile.Read(ref ended);

    /// <summary>Completes when every event tracked before is on disk (true) or cannot be (false).</summary>
    public Task<bool> PersistAsync() => RequestCycleAsync(flush: false);

    /// <summary>Completes when every event tracked before has its answer (true) or has to wait (false).</summary>
    public Task<bool> FlushAsync() => RequestCycleAsync(flush: true);

    /// <summary>Completes when every event tracked before is in the queue.</summary>
    public Task DrainBufferAsync() => intake.Count > 0 ? PersistAsync() : Task.CompletedTask;

    /// <summary>The flush interval has passed.</summary>
    public void Tick()
    {
        lock (gate)
        {
            due = true;
        }

        signal.Set();
    }

    /// <summary>Asks the pump to look for events that processes left behind; the function gives how many it took over.</summary>
    public void RecoverOrphans(Func<int> recoverOrphans)
    {
        lock (gate)
        {
            adopt = recoverOrphans;
        }

        signal.Set();
    }

    /// <summary>Moves what is left in the buffer, which must be closed, and ends.</summary>
    public void Close()
    {
        lock (gate)
        {
            closing = true;
        }

        signal.Set();
    }

    public async Task RunAsync()
    {
        while (!ended)
        {
            await signal.WaitAsync().ConfigureAwait(false);
#pragma warning disable CA1031 // Whatever goes wrong here must not end the delivery; it is logged as the fault it is.
            try
            {
                Cycle();
            }
            catch (Exception error)
            {
                logger.DeliveryFailed(error);
            }
#pragma warning restore CA1031
        }
    }

    public void Dispose() => serializer.Dispose();

    private Task<bool> RequestCycleAsync(bool flush)
    {
        var ask = new Ask(flush);
        lock (gate)
        {
            if (ended)
            {
                return Task.FromResult(queue.Count == 0);
            }

            asked.Add(ask);
        }

        signal.Set();
        return ask.Task;
    }

    private void Cycle()
    {
        List<Ask> asks;
        Func<int>? recoverOrphans;
        bool isDue;
        bool isClosing;
        lock (gate)
        {
            (asks, asked) = (asked, []);
            (recoverOrphans, adopt) = (adopt, null);
            (isDue, due) = (due, false);
            isClosing = closing;
        }

        try
        {
            Carry(asks, recoverOrphans, isDue, isClosing);
        }
        finally
        {
            // Whatever went wrong, nobody must wait for ever; those whose answer is the sender's to give have been handed over.
            asks.FindAll(ask => !ask.IsHandedOver).ForEach(ask => ask.TrySetResult(false));
            if (isClosing)
            {
                End();
            }
        }
    }

    private void Carry(List<Ask> asks, Func<int>? recoverOrphans, bool isDue, bool isClosing)
    {
        if (recoverOrphans is not null && recoverOrphans() > 0)
        {
            isDue = true;
        }

        MoveAll(isClosing);
        foreach (var ask in asks)
        {
            if (ask.IsFlush)
            {
                ask.IsHandedOver = true;
                sender.Flush(queue.End, ask);
            }
            else
            {
                ask.TrySetResult(queue.Unsaved == 0);
            }
        }

        if (isDue || IsBatchWaiting())
        {
            sender.Wake(isDue);
        }

        AwaitMore();
    }

    /// <summary>Moves what was in the buffer when it began, or, when closing, all.</summary>
    private void MoveAll(bool untilEmpty)
    {
        var left = intake.Count;
        int moved;
        do
        {
            moved = Move();
            left -= moved;
        }
        while (moved > 0 && (untilEmpty || left > 0));
    }

    private int Move()
    {
        staged.Clear();
        var moved = intake.Take(taken);
        if (moved > 0)
        {
            counts.Tracked(moved);
        }

        for (var i = 0; i < moved; i++)
        {
            Stage(taken[i]);
        }

        // What was tracked is the host's: nothing of it is held on to.
        Array.Clear(taken, 0, moved);

        if (staged.Count > 0)
        {
            queue.Append(staged);
        }

        return moved;
    }

    private void Stage(in TrackedEvent tracked)
    {
#pragma warning disable CA1031 // The event's lists and properties are the host's: reading them may throw anything.
        try
        {
            var queued = serializer.Serialize(tracked);
            if (queued.Json.Length > ReceiverLimits.EventBytes)
            {
                var message = $"The event is {queued.Json.Length} bytes of JSON; at most {ReceiverLimits.EventBytes} can be sent.";
                counts.Dropped(DropReason.TooLarge, queued, message);
                return;
            }

            staged.Add(queued);
        }
        catch (Exception error)
        {
            var message = $"The event cannot be written as JSON: {error.Message}";
            counts.Dropped(new DroppedEvent(DropReason.Invalid, tracked, message));
        }
#pragma warning restore CA1031
    }

    private bool IsBatchWaiting() => queue.Count >= options.BatchSize || queue.Bytes >= options.MaxBatchBytes;

    /// <summary>Says at how many tracked events the next cycle begins.</summary>
    private void AwaitMore()
    {
        var wakeAt = 1;
        if (options.SpoolDirectory is null)
        {
            var waiting = queue.Count;
            var toFullBatch = waiting < options.BatchSize ? options.BatchSize - waiting : WakeBytesUnknown;
            wakeAt = Math.Max(1, Math.Min(WakeBytesUnknown, Math.Min(toFullBatch, options.MaxQueueEvents - waiting)));
        }

        intake.WakeAt(wakeAt);
    }

    private void End()
    {
        lock (gate)
        {
            // Asked between the beginning of this cycle and now: the answer is that of the close.
            asked.ForEach(ask => sender.Flush(queue.End, ask));
            sender.Close();
            ended = true;
        }
    }

    /// <summary>Somebody waits for events to be safe or sent.</summary>
    private sealed class Ask(bool flush) : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public bool IsFlush { get; } = flush;

        /// <summary>Whether the sender will answer.</summary>
        public bool IsHandedOver { get; set; }
    }
}
