using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>
/// Sends events, one request at a time. It is idle until a batch is full, the flush interval has passed, or a flush or the
/// close is asked for; then it sends batch after batch until the queue is empty. A failure makes it wait, for a backoff or for
/// as long as the receiver asks; a refused key or origin makes it stop for good. <see cref="SendPlan"/> decides between these,
/// <see cref="OutcomeTable"/> what an answer means, and <see cref="Delivery"/> carries out what it means.
/// </summary>
internal sealed class Sender(
    IEventQueue queue,
    Func<Task> moveIn,
    IReceiver receiver,
    Delivery delivery,
    TrackingClientOptions options,
    TrackingMetrics metrics,
    TimeProvider time,
    ILogger logger) : IDisposable
{
    private readonly object gate = new();
    private readonly Signal signal = new();
    private readonly List<QueuedEvent> batch = new(options.BatchSize);
    private readonly BatchBody body = new();
    private readonly List<Waiter> attempted = [];
    private List<Waiter> asked = [];
    private ITimer? retryTimer;
    private bool askedNow;
    private bool due;
    private bool closing;
    private bool begun;
    private bool aborted;
    private bool ended;

    /// <summary>Whether the sender has nothing to do until it is woken.</summary>
    public bool IsIdle => signal.IsIdle || Volatile.Read(ref ended);

    /// <summary>Something waits; <paramref name="isDue"/>: as long as it may.</summary>
    public void Wake(bool isDue)
    {
        lock (gate)
        {
            due |= isDue;
        }

        signal.Set();
    }

    /// <summary>Tries now; the task completes when all before the mark have left (true) or have to wait (false).</summary>
    public void Flush(QueueMark mark, TaskCompletionSource<bool> completion)
    {
        lock (gate)
        {
            if (ended)
            {
                completion.TrySetResult(queue.IsSettled(mark));
                return;
            }

            asked.Add(new Waiter(mark, completion));
            askedNow = true;
        }

        signal.Set();
    }

    /// <summary>Tries once more and ends.</summary>
    public void Close()
    {
        lock (gate)
        {
            closing = true;
            askedNow = true;
        }

        signal.Set();
    }

    /// <param name="abort">Ends the sender at once, whatever it is doing.</param>
    public async Task RunAsync(CancellationToken abort)
    {
        retryTimer = time.CreateTimer(static state => ((Sender)state!).signal.Set(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var onAbort = abort.Register(static state => ((Sender)state!).signal.Set(), this);
        while (!ended)
        {
            await signal.WaitAsync().ConfigureAwait(false);
            while (await StepAsync(abort).ConfigureAwait(false))
            {
            }
        }
    }

    public void Dispose() => retryTimer?.Dispose();

    private async Task<bool> StepAsync(CancellationToken abort)
    {
        switch (SendPlan.Decide(View(abort)))
        {
            case SendStep.Send:
                await SendAsync(abort).ConfigureAwait(false);
                return true;
            case SendStep.End:
                End();
                return false;
            default:
                Rest();
                return false;
        }
    }

    private SendView View(CancellationToken abort)
    {
        var count = queue.Count;
        begun &= count > 0;
        lock (gate)
        {
            due &= count > 0;
            return new SendView
            {
                Empty = count == 0,
                BatchWaits = count >= options.BatchSize || queue.Bytes >= options.MaxBatchBytes,
                Due = due,
                Begun = begun,
                Asked = askedNow,
                Failed = delivery.Failures > 0,
                Delayed = delivery.RemainingDelay() > TimeSpan.Zero,
                Told = delivery.IsTold,
                Stopped = delivery.IsStopped,
                Closing = closing,
                Aborted = aborted || abort.IsCancellationRequested,
            };
        }
    }

    private async Task SendAsync(CancellationToken abort)
    {
        begun = true;
        lock (gate)
        {
            due = false;
            askedNow = false;
            attempted.AddRange(asked);
            asked = [];
        }

        var goesOn = false;
#pragma warning disable CA1031 // Whatever goes wrong here must not end the delivery; it is logged, and the events stay.
        try
        {
            goesOn = await TryAsync(abort).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            queue.Release();
            aborted = true;
        }
        catch (Exception error)
        {
            logger.DeliveryFailed(error);
            queue.Release();
            delivery.Wait(new Answer { Code = "internal", Message = error.Message, Exception = error });
        }
#pragma warning restore CA1031

        Answer(attempted, orFail: !goesOn);
    }

    /// <summary>One request. False: what is left has to wait.</summary>
    private async Task<bool> TryAsync(CancellationToken abort)
    {
        if (queue.Count < delivery.BatchLimit)
        {
            // A small batch takes along what callers have tracked meanwhile.
            await moveIn().ConfigureAwait(false);
        }

        batch.Clear();
        queue.Peek(batch, delivery.BatchLimit, delivery.BatchBytes - BatchBody.EnvelopeBytes);
        if (batch.Count == 0)
        {
            // Either what was counted turned out to be damaged, or the disk cannot be read at present.
            queue.Release();
            if (queue.Count > 0)
            {
                delivery.Wait(new Answer { Code = "spool_unreadable", Message = "The spool cannot be read." });
            }

            return queue.Count == 0;
        }

        var bytes = body.Build(batch, time.GetUtcNow(), delivery.Compresses, out var compressed);
        var began = time.GetTimestamp();
        var answer = await receiver.PostAsync(bytes, compressed, abort).ConfigureAwait(false);
        metrics.Answered(answer.Status, time.GetElapsedTime(began));
        return delivery.Apply(answer, batch, compressed);
    }

    private void Rest()
    {
        var delay = delivery.RemainingDelay();
        if (delay > TimeSpan.Zero && !delivery.IsStopped)
        {
            retryTimer!.Change(TimeSpan.FromMilliseconds(Math.Ceiling(delay.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
        }

        List<Waiter> waiters;
        lock (gate)
        {
            askedNow = false;
            (waiters, asked) = (asked, []);
        }

        Answer(waiters, orFail: true);
    }

    private void End()
    {
        lock (gate)
        {
            attempted.AddRange(asked);
            asked = [];
            Volatile.Write(ref ended, true);
        }

        Answer(attempted, orFail: true);
    }

    private void Answer(List<Waiter> waiters, bool orFail)
    {
        for (var i = waiters.Count - 1; i >= 0; i--)
        {
            var settled = queue.IsSettled(waiters[i].Mark);
            if (settled || orFail)
            {
                waiters[i].Completion.TrySetResult(settled);
                waiters.RemoveAt(i);
            }
        }
    }

    /// <summary>Somebody waits until all before the mark have left the queue.</summary>
    private readonly struct Waiter(QueueMark mark, TaskCompletionSource<bool> completion)
    {
        public QueueMark Mark { get; } = mark;

        public TaskCompletionSource<bool> Completion { get; } = completion;
    }
}
