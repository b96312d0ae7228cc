using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking;

/// <summary>
/// Wakes one waiting loop. Setting it twice wakes it once: timers, thresholds and flushes only say that there may be something
/// to do, and the loop finds out what.
/// </summary>
internal sealed class Signal
{
    private readonly SemaphoreSlim semaphore = new(0, 1);
    private int isSet;
    private volatile bool parked;

    /// <summary>Whether the loop waits and nothing has called it.</summary>
    /// <remarks>
    /// In this order: a loop that wakes leaves its place before it clears the flag. The other way round its old place and its
    /// new flag, read one after the other, look like rest.
    /// </remarks>
    public bool IsIdle => Volatile.Read(ref isSet) == 0 && parked;

    public void Set()
    {
        // What the caller wrote before must be seen by a loop that has just cleared the flag.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref isSet) == 0 && Interlocked.Exchange(ref isSet, 1) == 0)
        {
            semaphore.Release();
        }
    }

    public async Task WaitAsync()
    {
        parked = true;
        await semaphore.WaitAsync().ConfigureAwait(false);
        parked = false;
        Interlocked.Exchange(ref isSet, 0);
    }
}
