using System;

namespace Spor.Tracking;

/// <summary>How long to wait before events are sent again.</summary>
/// <param name="initial">Delay after the first failure, at most.</param>
/// <param name="longest">Delay after many failures, at most.</param>
/// <param name="longestRetryAfter">Longest delay a receiver may ask for.</param>
/// <param name="random">Draws from 0 up to 1, so that senders that failed together do not come back together.</param>
internal sealed class Backoff(TimeSpan initial, TimeSpan longest, TimeSpan longestRetryAfter, Func<double> random)
{
    /// <summary>Between half and the whole of the initial delay doubled with each failure in a row.</summary>
    /// <param name="failures">Failures in a row, from 1.</param>
    public TimeSpan AfterFailure(int failures)
    {
        var doubled = initial.TotalMilliseconds * Math.Pow(2, Math.Min(failures - 1, 30));
        return TimeSpan.FromMilliseconds(Math.Min(longest.TotalMilliseconds, doubled) * (0.5 + (random() / 2)));
    }

    /// <summary>What the receiver asked for, within its bound, and up to a quarter more.</summary>
    public TimeSpan AsTold(TimeSpan retryAfter)
    {
        var told = Math.Min(longestRetryAfter.TotalMilliseconds, Math.Max(0, retryAfter.TotalMilliseconds));
        return TimeSpan.FromMilliseconds(told * (1 + (random() / 4)));
    }
}
