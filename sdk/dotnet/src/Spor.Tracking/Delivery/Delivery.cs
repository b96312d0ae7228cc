using System;
using System.Collections.Generic;
using System.Threading;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>
/// Carries out what an answer means for its batch, and remembers what follows for the next one: how long to wait, how many
/// events to send at most, whether to compress, whether to stop. Used by the sender alone; its state may be read by others.
/// </summary>
internal sealed class Delivery(
    IEventQueue queue,
    Counts counts,
    Notifier notifier,
    Backoff backoff,
    TrackingClientOptions options,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>Silence never makes requests smaller than this; a larger event goes alone.</summary>
    private const int LeastBatchBytes = 1000;

    /// <summary>Sizes of the parts a too large batch was cut into, next one on top.</summary>
    private readonly Stack<int> parts = new();

    private int failures;
    private int attempts;
    private long notBefore;
    private bool delayed;
    private volatile bool stopped;

    /// <summary>Failed requests in a row.</summary>
    public int Failures => Volatile.Read(ref failures);

    public bool IsStopped => stopped;

    /// <summary>Whether the delay is one the receiver asked for.</summary>
    public bool IsTold { get; private set; }

    public bool Compresses { get; private set; } = options.Compression;

    /// <summary>Events the next request may hold.</summary>
    public int BatchLimit => parts.Count > 0 ? parts.Peek() : options.BatchSize;

    /// <summary>Bytes of events the next request may hold: halved after silence, because a proxy may cut large bodies.</summary>
    public int BatchBytes { get; private set; } = options.MaxBatchBytes;

    /// <summary>What is left of the delay after a failure.</summary>
    public TimeSpan RemainingDelay()
    {
        if (!delayed)
        {
            return TimeSpan.Zero;
        }

        var left = notBefore - time.GetTimestamp();
        delayed = left > 0;
        return delayed ? TimeSpan.FromSeconds((double)left / time.TimestampFrequency) : TimeSpan.Zero;
    }

    /// <summary>Obeys an answer. False: what is left in the queue has to wait.</summary>
    public bool Apply(Answer answer, List<QueuedEvent> batch, bool compressed)
    {
        var outcome = OutcomeTable.Decide(answer.Status, answer.Code, answer.ReceiptId, compressed);
        if (outcome == Outcome.Silence)
        {
            Shrink(batch);
            if (answer.Status != 0)
            {
                // The words of another are not the receiver's code.
                (answer.Code, answer.Message) = (null, null);
            }
        }
        else
        {
            BatchBytes = (int)Math.Min(options.MaxBatchBytes, 2L * BatchBytes);
        }

        switch (outcome)
        {
            case Outcome.Done:
                return Finish(answer, batch);
            case Outcome.Drop:
                Drop(answer, batch);
                return true;
            case Outcome.Halve:
                Halve(answer, batch);
                return true;
            case Outcome.SendPlain:
                Compresses = false;
                logger.CompressionOff();
                queue.Release();
                Succeed();
                return true;
            case Outcome.Stop:
                Stop(answer);
                return false;
            default:
                Retry(answer, batch);
                return false;
        }
    }

    /// <summary>Waits, and says why.</summary>
    public TimeSpan Wait(Answer answer)
    {
        Volatile.Write(ref failures, failures + 1);
        IsTold = answer.RetryAfter is not null;
        var delay = answer.RetryAfter is { } told ? backoff.AsTold(told) : backoff.AfterFailure(failures);

        // Whole milliseconds, as timers know them.
        delay = TimeSpan.FromMilliseconds(Math.Floor(delay.TotalMilliseconds));
        notBefore = time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
        delayed = true;
        Tell(answer, delay);
        logger.Waiting(answer.Exception, answer.Status, CodeOf(answer), MessageOf(answer), delay);
        return delay;
    }

    private bool Finish(Answer answer, List<QueuedEvent> batch)
    {
        var verdicts = VerdictsByIndex(answer, batch.Count);
        List<int>? keep = null;
        var rejected = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            if (verdicts[i] is not { } verdict)
            {
                continue;
            }

            if (verdict.Retryable)
            {
                (keep ??= []).Add(i);
            }
            else
            {
                rejected++;
                counts.Dropped(Rejection(batch[i], verdict));
            }
        }

        var kept = keep?.Count ?? 0;
        queue.Settle(keep);
        counts.Sent(batch.Count - rejected - kept);
        logger.Sent(batch.Count - rejected - kept, answer.ReceiptId);
        PartDone(batch.Count - kept);
        if (kept == 0)
        {
            Succeed();
            return true;
        }

        counts.Retried(kept);
        Wait(new Answer { Status = answer.Status, Code = verdicts[keep![0]]!.Code, Message = verdicts[keep[0]]!.Message });
        return false;
    }

    private void Drop(Answer answer, List<QueuedEvent> batch)
    {
        var verdicts = VerdictsByIndex(answer, batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            var report = verdicts[i] is { } verdict
                ? Rejection(batch[i], verdict)
                : new DroppedEvent(DropReason.Refused, batch[i], MessageOf(answer)) { Code = CodeOf(answer) };
            counts.Dropped(report);
        }

        queue.Settle(null);
        PartDone(batch.Count);
        Succeed();
        Tell(answer, null);
        logger.RequestRefused(answer.Status, CodeOf(answer), MessageOf(answer), batch.Count);
    }

    private void Halve(Answer answer, List<QueuedEvent> batch)
    {
        if (batch.Count == 1)
        {
            var report = new DroppedEvent(DropReason.TooLarge, batch[0], MessageOf(answer)) { Code = CodeOf(answer) };
            counts.Dropped(report);
            queue.Settle(null);
            PartDone(1);
            Succeed();
            return;
        }

        PartDone(batch.Count);
        var firstHalf = (batch.Count + 1) / 2;
        parts.Push(batch.Count - firstHalf);
        parts.Push(firstHalf);
        queue.Release();
        Succeed();
    }

    private void Shrink(List<QueuedEvent> batch)
    {
        var bytes = 0L;
        foreach (var queued in batch)
        {
            bytes += queued.Json.Length;
        }

        BatchBytes = Math.Min(options.MaxBatchBytes, Math.Max(LeastBatchBytes, (int)(bytes / 2)));
    }

    private void Retry(Answer answer, List<QueuedEvent> batch)
    {
        attempts++;
        var delay = Wait(answer);
        if (options.MaxRetries is not { } most || attempts <= most)
        {
            queue.Release();
            counts.Retried(batch.Count);
            return;
        }

        foreach (var queued in batch)
        {
            counts.Dropped(new DroppedEvent(DropReason.RetriesExhausted, queued, MessageOf(answer)) { Code = CodeOf(answer) });
        }

        queue.Settle(null);
        PartDone(batch.Count);
        attempts = 0;
    }

    private void Stop(Answer answer)
    {
        queue.Release();
        stopped = true;
        Tell(answer, null);
        logger.Stopped(answer.Status, CodeOf(answer), MessageOf(answer));
    }

    private void Succeed()
    {
        if (failures > 0)
        {
            logger.Recovered(failures);
        }

        attempts = 0;
        Volatile.Write(ref failures, 0);
        delayed = false;
    }

    /// <summary>So many events of the next part are done.</summary>
    private void PartDone(int events)
    {
        if (parts.Count > 0)
        {
            var left = parts.Pop() - events;
            if (left > 0)
            {
                parts.Push(left);
            }
        }
    }

    private void Tell(Answer answer, TimeSpan? retryIn) =>
        notifier.Tell(new RequestFailure(answer.Status, CodeOf(answer), MessageOf(answer), retryIn, stopped, answer.Exception));

    private static DroppedEvent Rejection(in QueuedEvent queued, Answer.Verdict verdict) =>
        new(DropReason.Rejected, queued, verdict.Message ?? "The receiver refused the event.")
        {
            Code = verdict.Code,
            Path = verdict.Path,
        };

    private static Answer.Verdict?[] VerdictsByIndex(Answer answer, int count)
    {
        var verdicts = new Answer.Verdict?[count];
        foreach (var verdict in answer.Rejected)
        {
            if (verdict.Index >= 0 && verdict.Index < count)
            {
                verdicts[verdict.Index] = verdict;
            }
        }

        return verdicts;
    }

    private static string CodeOf(Answer answer) => answer.Code ?? (answer.Status == 0 ? "no_answer" : "answer_unknown");

    private static string MessageOf(Answer answer) => answer.Message ?? "The answer is not one of the Event Receiver.";
}
