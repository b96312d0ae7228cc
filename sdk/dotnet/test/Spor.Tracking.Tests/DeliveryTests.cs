using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

/// <summary>What sdk/conformance leaves to each SDK.</summary>
public sealed class DeliveryTests
{
    [Fact]
    public async Task Large_bodies_are_compressed_and_small_ones_are_not()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted, ScriptedAnswer.Accepted]);
        stage.Track([.. Enumerable.Range(0, 20).Select(i => $"e{i}")]);
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        stage.Track("small");
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(["gzip", null], stage.Receiver.Requests.Select(request => request.Encoding));
        Assert.StartsWith("Spor.Tracking/", stage.Receiver.Requests[0].UserAgent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_receiver_that_refuses_compression_gets_plain_bodies()
    {
        await using var stage = new Stage([ScriptedAnswer.Error(415, "encoding_unsupported"), ScriptedAnswer.Accepted, ScriptedAnswer.Accepted]);
        var names = Enumerable.Range(0, 20).Select(i => $"e{i}").ToArray();
        stage.Track(names);
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        stage.Track(names);
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(["gzip", null, null], stage.Receiver.Requests.Select(request => request.Encoding));
        Assert.Empty(stage.Dropped);
        Assert.Equal(1, stage.Logs.Count(15));
    }

    [Fact]
    public async Task Retries_may_be_bounded()
    {
        await using var stage = new Stage(
            [ScriptedAnswer.NetworkError, ScriptedAnswer.NetworkError, ScriptedAnswer.NetworkError, ScriptedAnswer.Accepted],
            options => (options.MaxRetries, options.BatchSize) = (2, 2));
        stage.Track("a", "b", "c");
        stage.RunUntil(TimeSpan.FromMinutes(5));
        Assert.Equal(["a,b", "a,b", "a,b", "c"], stage.Receiver.Requests.Select(request => string.Join(",", request.Names)));
        Assert.Equal([DropReason.RetriesExhausted, DropReason.RetriesExhausted], stage.Dropped.Select(drop => drop.Reason));
        Assert.Equal(4, stage.Client.Statistics.Retried);
    }

    [Fact]
    public async Task Retry_after_may_be_a_date()
    {
        var answer = ScriptedAnswer.Error(503, "overloaded") with { Headers = new() { ["Retry-After"] = "Mon, 23 Nov 2026 10:00:20 GMT" } };
        await using var stage = new Stage([answer, ScriptedAnswer.Accepted]);
        stage.Track("a");
        Assert.False(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        stage.RunUntil(TimeSpan.FromMinutes(1));
        Assert.InRange(stage.Receiver.Requests[1].At, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(25));
    }

    [Fact]
    public async Task A_request_without_answer_times_out_and_is_sent_again()
    {
        var never = ScriptedAnswer.Accepted with { Delay = TimeSpan.FromDays(1) };
        await using var stage = new Stage([never, ScriptedAnswer.Accepted], options => options.RequestTimeout = TimeSpan.FromSeconds(3));
        stage.Track("a");
        var flush = stage.Client.FlushAsync(TestContext.Current.CancellationToken);
        stage.RunUntil(TimeSpan.FromSeconds(3));
        Assert.False(await stage.Complete(flush));
        Assert.Equal(TrackingState.Waiting, stage.Client.Statistics.State);
        stage.RunUntil(TimeSpan.FromSeconds(10));
        Assert.Equal(2, stage.Receiver.Requests.Count);
        Assert.Equal(TrackingState.Sending, stage.Client.Statistics.State);
        Assert.Equal("no_answer", stage.Failures.Single().Code);
        Assert.IsType<TimeoutException>(stage.Failures.Single().Exception);
        Assert.Equal((1, 1), (stage.Logs.Count(11), stage.Logs.Count(12)));
    }

    [Fact]
    public async Task Flushes_at_the_same_time_share_a_request()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted]);
        stage.Track("a", "b");
        var flushes = Enumerable.Range(0, 50).Select(_ => stage.Client.FlushAsync()).ToList();
        stage.Settle();
        Assert.All(await Task.WhenAll(flushes), Assert.True);
        Assert.Single(stage.Receiver.Requests);
    }

    [Fact]
    public async Task Flush_of_an_empty_queue_sends_nothing()
    {
        await using var stage = new Stage([]);
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.False(await stage.Complete(stage.Client.PersistAsync(TestContext.Current.CancellationToken)) && stage.Receiver.Requests.Count > 0);
    }

    [Fact]
    public async Task Flush_may_be_cancelled_and_the_events_stay()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted with { Delay = TimeSpan.FromSeconds(1) }]);
        stage.Track("a");
        using var cancel = new CancellationTokenSource();
        var flush = stage.Client.FlushAsync(cancel.Token);
        stage.Settle();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush);
        stage.RunUntil(TimeSpan.FromSeconds(1));
        Assert.Equal(1, stage.Client.Statistics.Sent);
    }

    [Fact]
    public async Task Stops_on_a_refused_key_and_says_so_once()
    {
        await using var stage = new Stage([ScriptedAnswer.Error(401, "key_revoked")]);
        stage.Track("a");
        Assert.False(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        stage.Track("b");
        Assert.False(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        stage.RunUntil(TimeSpan.FromHours(1));
        Assert.Equal(TrackingState.Stopped, stage.Client.Statistics.State);
        Assert.Equal(2, stage.Client.Statistics.Queued);
        var failure = Assert.Single(stage.Failures);
        Assert.Equal((401, "key_revoked", true), (failure.Status, failure.Code, failure.Stopped));
        Assert.Equal(1, stage.Logs.Count(10));
    }

    [Fact]
    public async Task Close_gives_up_at_its_deadline_and_reports_what_is_lost()
    {
        await using var stage = new Stage(
            [ScriptedAnswer.Accepted with { Delay = TimeSpan.FromDays(1) }],
            options => (options.ShutdownTimeout, options.RequestTimeout) = (TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1)));
        stage.Track("a", "b");
        var closing = stage.Client.DisposeAsync().AsTask();
        stage.RunUntil(TimeSpan.FromSeconds(2));
        await closing.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal([DropReason.Unsent, DropReason.Unsent], stage.Dropped.Select(drop => drop.Reason));
        Assert.Equal(TrackingState.Closed, stage.Client.Statistics.State);
        Assert.False(await stage.Client.FlushAsync(TestContext.Current.CancellationToken) && stage.Dropped.IsEmpty);
    }

    [Fact]
    public async Task Close_twice_and_blocking_is_one_close()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted]);
        stage.Track("a");
        var blocking = Task.Run(stage.Client.Dispose, TestContext.Current.CancellationToken);
        await stage.CloseAsync();
        await blocking;
        Assert.Single(stage.Receiver.Requests);
        Assert.Equal(1, stage.Client.Statistics.Sent);
    }

    [Fact]
    public async Task Counts_add_up_whatever_happens()
    {
        var rejected = new ScriptedAnswer(202, """{"receiptId":"r-0-1-0","accepted":1,"rejected":[{"index":0,"code":"field_range","path":"/x","message":"no"},{"index":99,"code":"x"},{"code":"y"},5]}""");
        await using var stage = new Stage(
            [rejected, ScriptedAnswer.Error(400, "body_invalid"), ScriptedAnswer.Accepted, ScriptedAnswer.Error(503, "overloaded")],
            options => options.BatchSize = 2);
        stage.Track("a", "b", "c", "d", "e", "f", "g");
        stage.RunUntil(TimeSpan.FromSeconds(1));
        var statistics = stage.Client.Statistics;
        Assert.Equal(7, statistics.Tracked);
        Assert.Equal(3, statistics.Sent);
        Assert.Equal(1, statistics.Queued);
        Assert.Equal(new Dictionary<DropReason, long> { [DropReason.Rejected] = 1, [DropReason.Refused] = 2 }, statistics.Dropped);
        var verdict = stage.Dropped.First();
        Assert.Equal(("field_range", "/x", "no", "ProductClicked"), (verdict.Code, verdict.Path, verdict.Message, verdict.EventType));
    }
}
