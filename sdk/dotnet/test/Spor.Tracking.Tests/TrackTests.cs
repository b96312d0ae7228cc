using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

public sealed class TrackTests
{
    [Fact]
    public async Task Nothing_a_host_does_makes_it_throw()
    {
        await using var stage = new Stage(
            [ScriptedAnswer.Accepted],
            options => options.OnDropped = _ => throw new InvalidOperationException("the host's own fault"),
            services => services.VisitorAccessor = new ThrowingVisitor());
        Assert.False(stage.Client.Track(null!));
        Assert.False(stage.Client.Track(new ProductClicked("P")));
        Assert.True(stage.Client.Track(new ProductClicked("P") { Properties = new Dictionary<string, object?> { ["x"] = new object() } }, new Visitor()));
        stage.Settle();
        Assert.Equal(2, stage.Logs.Count(22));
        Assert.Equal(2, stage.Logs.Count(21));
        Assert.Equal(2, stage.Client.Statistics.Dropped[DropReason.Invalid]);
        Assert.True(stage.Client.Track(Stage.Click("good"), new Visitor()));
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(["good"], stage.Receiver.Requests.Single().Names);
    }

    [Fact]
    public async Task A_timer_that_fires_while_the_client_closes_harms_nothing()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted]);
        stage.Track("a");
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        await stage.CloseAsync();
        // Flush interval, retry, the deadline of the close, and on some frameworks that of the request.
        Assert.InRange(stage.Time.RunLate(), 3, 4);
    }

    [Fact]
    public async Task An_event_over_the_limit_is_told_with_what_it_was()
    {
        await using var stage = new Stage([]);
        var id = Guid.NewGuid();
        var huge = Stage.Click("huge");
        huge.EventId = id;
        huge.Context = new EventContext { Url = new string('x', 4_100_000) };
        Assert.True(stage.Client.Track(huge));
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        var told = Assert.Single(stage.Dropped);
        Assert.Equal((DropReason.TooLarge, id, "ProductClicked"), (told.Reason, told.EventId, told.EventType));
        Assert.Contains("SKU-huge", told.ToJson(), StringComparison.Ordinal);
        Assert.Contains("4000000", told.Message, StringComparison.Ordinal);
        Assert.Equal(1, stage.Logs.Count(20));
    }

    [Fact]
    public async Task Keeps_the_callers_id_and_time()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted]);
        var (id, time) = (Guid.CreateVersion7(), new DateTimeOffset(2026, 11, 20, 1, 2, 3, TimeSpan.FromHours(2)));
        var click = Stage.Click("a");
        (click.EventId, click.Timestamp) = (id, time);
        stage.Client.Track(click);
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        var sent = stage.Receiver.Requests.Single().Events.Single();
        Assert.Equal(id, (Guid)sent["eventId"]!);
        Assert.Equal(time, (DateTimeOffset)sent["timestamp"]!);
    }

    [Fact]
    public async Task Without_consent_only_events_with_ids_of_their_own_are_taken()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted], null, services => services.VisitorAccessor = new Refusing());
        Assert.False(stage.Client.Track(new ProductClicked("P")));
        Assert.True(stage.Client.Track(Stage.Click("own")));
        stage.Settle();
        var told = Assert.Single(stage.Dropped);
        Assert.Equal(DropReason.NoConsent, told.Reason);
        Assert.Contains("\"productId\":\"P\"", told.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hundred_thousand_events_of_eight_threads_are_sent_once_each()
    {
        const int Threads = 8;
        const int Each = 12_500;
        var receiver = new CountingReceiver();
        using var http = new System.Net.Http.HttpClient(receiver);
        var options = new TrackingClientOptions
        {
            Endpoint = new Uri("http://127.0.0.1:1"),
            InstrumentationKey = "ik_test",
            MaxQueueEvents = Threads * Each,
            MaxQueueBytes = long.MaxValue,
            BatchSize = 1000,
        };
        await using var client = new TrackingClient(options, new TrackingClientServices { CreateHttpClient = () => http });
        var threads = Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
        {
            for (var i = 0; i < Each; i++)
            {
                client.Track(Stage.Click($"{thread}-{i}"));
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.True(await client.FlushAsync(TestContext.Current.CancellationToken));
        Assert.Equal(Threads * Each, receiver.Names.Count);
        Assert.Equal(Threads * Each, receiver.Names.Distinct().Count());
        Assert.Equal(Threads * Each, client.Statistics.Sent);
        Assert.Empty(client.Statistics.Dropped);
    }

    [Fact]
    public async Task Track_allocates_nothing_on_the_callers_thread()
    {
        const int Events = 10_000;
        await using var stage = new Stage([]);
        var clicks = Enumerable.Range(0, Events).Select(i => Stage.Click("e")).ToList();
        stage.Client.Track(Stage.Click("warm-up"));
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var click in clicks)
        {
            stage.Client.Track(click);
        }

        // What is left is the buffer, which grows a few times in the life of a process.
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Events, 0, 160);
        stage.Client.TakeUnsaved();
    }

    [Fact]
    public async Task A_broken_log_and_a_broken_metrics_listener_cost_no_event()
    {
        using var listener = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Tags?.Any(tag => tag.Key == "broken") == true)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => throw new InvalidOperationException("metrics"));
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("metrics"));
        listener.Start();
        using var factory = new BrokenMeter();
        await using var stage = new Stage(
            [ScriptedAnswer.Error(503, "overloaded"), ScriptedAnswer.Accepted],
            null,
            services => (services.LoggerFactory, services.MeterFactory) = (new BrokenLog(), factory));
        stage.Track("a");
        Assert.False(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(1, stage.Client.Statistics.Sent);
    }

    private sealed class BrokenMeter : System.Diagnostics.Metrics.IMeterFactory
    {
        private System.Diagnostics.Metrics.Meter? meter;

        public System.Diagnostics.Metrics.Meter Create(System.Diagnostics.Metrics.MeterOptions options) =>
            meter = new(options.Name, null, [new("broken", true)]);

        public void Dispose() => meter?.Dispose();
    }

    private sealed class BrokenLog : Microsoft.Extensions.Logging.ILoggerFactory, Microsoft.Extensions.Logging.ILogger
    {
        public void AddProvider(Microsoft.Extensions.Logging.ILoggerProvider provider) => throw new NotSupportedException();

        public Microsoft.Extensions.Logging.ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => true;

        public void Log<TState>(
            Microsoft.Extensions.Logging.LogLevel logLevel,
            Microsoft.Extensions.Logging.EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) => throw new InvalidOperationException("log");
    }

    private sealed class ThrowingVisitor : IVisitorAccessor
    {
        public Visitor? Visitor => throw new InvalidOperationException("no request");
    }

    private sealed class Refusing : IVisitorAccessor
    {
        public Visitor? Visitor { get; } = new() { MayBeTracked = false };
    }

    private sealed class CountingReceiver : System.Net.Http.HttpMessageHandler
    {
        public List<string> Names { get; } = [];

        protected override async Task<System.Net.Http.HttpResponseMessage> SendAsync(System.Net.Http.HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var stream = await request.Content!.ReadAsStreamAsync(cancellationToken);
            var plain = request.Content.Headers.ContentEncoding.Count == 0
                ? stream
                : new System.IO.Compression.GZipStream(stream, System.IO.Compression.CompressionMode.Decompress);
            using var document = await System.Text.Json.JsonDocument.ParseAsync(plain, default, cancellationToken);
            foreach (var item in document.RootElement.GetProperty("events").EnumerateArray())
            {
                Names.Add(item.GetProperty("properties").GetProperty("name").GetString()!);
            }

            return new System.Net.Http.HttpResponseMessage(System.Net.HttpStatusCode.Accepted)
            {
                Content = new System.Net.Http.StringContent("""{"receiptId":"r-0-1-0"}""", Encoding.UTF8, "application/json"),
            };
        }
    }
}
