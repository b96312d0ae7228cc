using System;
using System.Collections.Concurrent;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking;

/// <summary>
/// Calls the host's callbacks: one at a time, in order, on a thread of the pool, so that neither a slow nor a throwing callback
/// reaches the caller of Track or the delivery.
/// </summary>
internal sealed class Notifier(Action<object> call, Action<Exception> onFault)
{
    /// <summary>Beyond this many reports waiting, drops of one reason are told together.</summary>
    private const int MaxWaiting = 10_000;

    private readonly ConcurrentQueue<object> waiting = new();
    private readonly ConcurrentDictionary<DropReason, int> merged = new();
    private int count;
    private int running;

    /// <summary>Whether every report has been given to its callback.</summary>
    public bool IsIdle => Volatile.Read(ref running) == 0 && waiting.IsEmpty && merged.IsEmpty;

    public void Tell(object report)
    {
        if (report is DroppedEvent dropped && Volatile.Read(ref count) >= MaxWaiting)
        {
            merged.AddOrUpdate(dropped.Reason, dropped.Count, (_, known) => known + dropped.Count);
        }
        else
        {
            Interlocked.Increment(ref count);
            waiting.Enqueue(report);
        }

        Start();
    }

    /// <summary>Ends when everything told so far has been given to its callback.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        while (!IsIdle && !cancellationToken.IsCancellationRequested)
        {
            Start();
            await Task.Delay(1, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void Start()
    {
        if (Interlocked.Exchange(ref running, 1) == 0)
        {
            // Not in the context of the caller, who may be a request long over when the callback runs.
            ThreadPool.UnsafeQueueUserWorkItem(static state => ((Notifier)state!).Run(), this);
        }
    }

    private void Run()
    {
        do
        {
            while (waiting.TryDequeue(out var report))
            {
                Interlocked.Decrement(ref count);
                Call(report);
            }

            foreach (var reason in merged.Keys)
            {
                if (merged.TryRemove(reason, out var events))
                {
                    Call(new DroppedEvent(reason, events, "Too many events were dropped to tell of each."));
                }
            }

            Volatile.Write(ref running, 0);
            Interlocked.MemoryBarrier();
        }
        while ((!waiting.IsEmpty || !merged.IsEmpty) && Interlocked.Exchange(ref running, 1) == 0);
    }

    private void Call(object report)
    {
#pragma warning disable CA1031 // The host's callback may throw anything; it is logged and never reaches the delivery.
        try
        {
            call(report);
        }
        catch (Exception error)
        {
            onFault(error);
        }
#pragma warning restore CA1031
    }
}
