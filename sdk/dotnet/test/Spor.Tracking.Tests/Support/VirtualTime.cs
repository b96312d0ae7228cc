using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.Tests.Support;

/// <summary>A clock that stands still until it is moved, and tells when the next timer is due.</summary>
internal sealed class VirtualTime : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 10, 0, 0, TimeSpan.Zero);

    private readonly Lock gate = new();
    private readonly List<VirtualTimer> timers = [];
    private readonly List<Action> disposed = [];
    private TimeSpan now;

    /// <summary>Time since the start.</summary>
    public TimeSpan Now
    {
        get
        {
            lock (gate)
            {
                return now;
            }
        }
    }

    /// <summary>When the next timer is due; null without one.</summary>
    public TimeSpan? NextDue
    {
        get
        {
            lock (gate)
            {
                return timers.Min(timer => timer.Due);
            }
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Now.Ticks;

    public override DateTimeOffset GetUtcNow() => Start + Now;

    public static TimeSpan Since(DateTimeOffset time) => time - Start;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        lock (gate)
        {
            timers.Add(timer);
        }

        return timer;
    }

    /// <summary>Moves to a time and runs every timer due until then, each at its own time.</summary>
    public void MoveTo(TimeSpan target)
    {
        while (true)
        {
            VirtualTimer? next;
            lock (gate)
            {
                next = timers.Where(timer => timer.Due <= target).MinBy(timer => timer.Due);
                now = next?.Due is { } due && due > now ? due : next is null ? target : now;
                next?.Fired();
            }

            if (next is null)
            {
                return;
            }

            next.Callback();
        }
    }

    /// <summary>Runs the callbacks of all timers that have been disposed, which does not stop one that has begun.</summary>
    public int RunLate()
    {
        Action[] late;
        lock (gate)
        {
            late = [.. disposed];
        }

        Array.ForEach(late, callback => callback());
        return late.Length;
    }

    private sealed class VirtualTimer(VirtualTime time, Action callback) : ITimer
    {
        private TimeSpan period;

        public Action Callback { get; } = callback;

        public TimeSpan? Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time.gate)
            {
                this.period = period;
                Due = dueTime == Timeout.InfiniteTimeSpan ? null : time.now + dueTime;
            }

            return true;
        }

        public void Fired() => Due = period > TimeSpan.Zero ? Due + period : null;

        public void Dispose()
        {
            lock (time.gate)
            {
                Due = null;
                time.timers.Remove(this);
                time.disposed.Add(Callback);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
