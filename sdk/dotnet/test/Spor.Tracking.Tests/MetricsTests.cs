using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Linq;
using System.Threading.Tasks;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

public sealed class MetricsTests
{
    [Fact]
    public async Task Every_event_is_counted_by_what_became_of_it()
    {
        var measured = new ConcurrentBag<(string Instrument, double Value, string Tags)>();
        using var listener = new MeterListener();
        using var factory = new OneMeter();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter == factory.Meter)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => measured.Add((instrument.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => measured.Add((instrument.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => measured.Add((instrument.Name, value, Text(tags))));
        listener.Start();

        var rejected = new ScriptedAnswer(202, """{"receiptId":"r-0-1-0","rejected":[{"index":0,"code":"field_range"}]}""");
        await using var stage = new Stage(
            [ScriptedAnswer.Error(503, "overloaded"), rejected, ScriptedAnswer.NetworkError],
            options => options.MaxRetryDelay = TimeSpan.FromSeconds(2),
            services => (services.MeterFactory, services.Name) = (factory, "dk"));
        stage.Track("a", "b");
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        stage.RunUntil(TimeSpan.FromSeconds(5));
        stage.Track("c");
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        listener.RecordObservableInstruments();

        Assert.Equal(3, Sum("spor.tracking.events.queued", "spor.client=dk"));
        Assert.Equal(1, Sum("spor.tracking.events.sent", "spor.client=dk"));
        Assert.Equal(3, Sum("spor.tracking.events.retried", "spor.client=dk"));
        Assert.Equal(1, Sum("spor.tracking.events.dropped", "spor.client=dk,reason=rejected"));
        Assert.Equal(1, Sum("spor.tracking.queue.events", "spor.client=dk"));
        Assert.True(Sum("spor.tracking.queue.bytes", "spor.client=dk") > 100);
        Assert.Equal(
            ["spor.client=dk,http.response.status_code=0", "spor.client=dk,http.response.status_code=202", "spor.client=dk,http.response.status_code=503"],
            measured.Where(one => one.Instrument == "spor.tracking.request.duration").Select(one => one.Tags).Order(StringComparer.Ordinal));

        double Sum(string instrument, string tags) => measured.Where(one => one.Instrument == instrument && one.Tags == tags).Sum(one => one.Value);
    }

    private static string Text(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        string.Join(",", tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"));

    private sealed class OneMeter : IMeterFactory
    {
        public Meter? Meter { get; private set; }

        public Meter Create(MeterOptions options) => Meter ??= new Meter(options);

        public void Dispose() => Meter?.Dispose();
    }
}
