using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.Tests.Support;

/// <summary>A client on a virtual clock in front of a scripted receiver, and everything it reported.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly HttpClient httpClient;

    public Stage(
        IEnumerable<ScriptedAnswer> answers,
        Action<TrackingClientOptions>? configure = null,
        Action<TrackingClientServices>? configureServices = null,
        VirtualTime? time = null)
    {
        Time = time ?? new VirtualTime();
        Receiver = new ScriptedReceiver(Time, answers);
        httpClient = new HttpClient(Receiver) { Timeout = Timeout.InfiniteTimeSpan };
        var options = new TrackingClientOptions
        {
            Endpoint = new Uri("https://events.shop.example"),
            InstrumentationKey = "ik_test",
            FlushInterval = TimeSpan.FromMinutes(1),
            OnDropped = Dropped.Enqueue,
            OnRequestFailed = Failures.Enqueue,
        };
        configure?.Invoke(options);
        Options = options;
        var services = new TrackingClientServices { CreateHttpClient = () => httpClient, TimeProvider = Time, LoggerFactory = Logs };
        configureServices?.Invoke(services);
        Client = new TrackingClient(options, services);
    }

    public VirtualTime Time { get; }

    public ScriptedReceiver Receiver { get; }

    public TrackingClientOptions Options { get; }

    public TrackingClient Client { get; }

    public CollectedLogs Logs { get; } = new();

    public ConcurrentQueue<DroppedEvent> Dropped { get; } = [];

    public ConcurrentQueue<RequestFailure> Failures { get; } = [];

    public static ProductClicked Click(string name) => new($"SKU-{name}")
    {
        SessionId = "s-1",
        Properties = new Dictionary<string, object?> { ["name"] = name },
    };

    public void Track(params string[] names)
    {
        foreach (var name in names)
        {
            Assert.True(Client.Track(Click(name)));
        }
    }

    /// <summary>Lets everything that is ready finish, answers that are due included, without moving the clock.</summary>
    public void Settle()
    {
        do
        {
            AwaitQuiet();
        }
        while (Receiver.AnswerIfDue());
    }

    /// <summary>Moves the clock on, from one thing that is due to the next.</summary>
    public void RunUntil(TimeSpan target)
    {
        Settle();
        while (true)
        {
            var next = target;
            foreach (var due in (ReadOnlySpan<TimeSpan?>)[Time.NextDue, Receiver.AnswerDue])
            {
                next = due is { } time && time < next ? time : next;
            }

            Time.MoveTo(next);
            Settle();
            if (next >= target)
            {
                return;
            }
        }
    }

    /// <summary>Waits, on the real clock, for a task that needs nothing but the answers that are due.</summary>
    public async Task<T> Complete<T>(Task<T> task)
    {
        Settle();
        return await task.WaitAsync(Patience);
    }

    public async Task CloseAsync()
    {
        var closing = Client.DisposeAsync().AsTask();
        Settle();
        await closing.WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        var closing = Client.DisposeAsync().AsTask();
        var watch = Stopwatch.StartNew();
        while (!closing.IsCompleted && watch.Elapsed < Patience)
        {
            if (!Receiver.AnswerIfDue() && Time.NextDue is { } due)
            {
                // The deadline of the close is on the virtual clock too.
                Time.MoveTo(due);
            }

            await Task.Delay(1);
        }

        await closing.WaitAsync(Patience);
        httpClient.Dispose();
    }

    private void AwaitQuiet()
    {
        var watch = Stopwatch.StartNew();
        while (!Client.IsIdle(Receiver.IsAsked))
        {
            if (watch.Elapsed > Patience)
            {
                throw new TimeoutException("The client does not come to rest.");
            }

            Thread.Yield();
        }
    }
}
