using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

/// <summary>The spool through the client: what a restart, an outage, a full or a broken disk does to events.</summary>
public sealed class SpoolTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_an_outage_left_is_sent_by_the_next_process_under_the_same_ids()
    {
        List<string> ids;
        await using (var first = Create([ScriptedAnswer.NetworkError, ScriptedAnswer.NetworkError]))
        {
            first.Track("a", "b");
            Assert.False(await first.Complete(first.Client.FlushAsync(TestContext.Current.CancellationToken)));
            ids = [.. first.Receiver.Requests[0].Events.Select(item => (string)item["eventId"]!)];
            await first.CloseAsync();
            Assert.Empty(first.Dropped);
        }

        await using var second = Create([ScriptedAnswer.Accepted]);
        second.Settle();
        var request = Assert.Single(second.Receiver.Requests);
        Assert.Equal(["a", "b"], request.Names);
        Assert.Equal(ids, request.Events.Select(item => (string)item["eventId"]!));
        Assert.Equal(1, second.Logs.Count(30));
        await second.CloseAsync();
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task Events_are_on_disk_when_persist_says_so_and_survive_a_process_that_just_ends()
    {
        await using var dying = Create([]);
        dying.Track("a", "b", "c");
        Assert.True(await dying.Complete(dying.Client.PersistAsync(TestContext.Current.CancellationToken)));
        CopyAsLeftBehind();
        await using var next = Create([ScriptedAnswer.Accepted], options => options.SpoolDirectory = Copy);
        next.Settle();
        Assert.Equal(["a", "b", "c"], next.Receiver.Requests.Single().Names);
        dying.Client.TakeUnsaved();
    }

    [Fact]
    public async Task What_was_settled_is_not_sent_again()
    {
        await using (var first = Create([ScriptedAnswer.Accepted, ScriptedAnswer.NetworkError], options => options.BatchSize = 2))
        {
            first.Track("a", "b", "c", "d", "e");
            first.RunUntil(TimeSpan.FromMilliseconds(1));
            CopyAsLeftBehind();
        }

        await using var next = Create([ScriptedAnswer.Accepted], options => options.SpoolDirectory = Copy);
        next.Settle();
        Assert.Equal(["c", "d", "e"], next.Receiver.Requests.Single().Names);
    }

    [Fact]
    public async Task A_torn_last_line_and_a_damaged_one_cost_only_themselves()
    {
        await using (var first = Create([]))
        {
            first.Track("a", "b", "c");
            await first.Complete(first.Client.PersistAsync(TestContext.Current.CancellationToken));
            CopyAsLeftBehind();
        }

        var file = Directory.GetFiles(Copy, "*.log", SearchOption.AllDirectories).Single();
        var text = (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Replace("SKU-b", "SKU-B", StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, text + "01234567 {\"eventId\":\"0192", TestContext.Current.CancellationToken);
        await using var next = Create([ScriptedAnswer.Accepted, ScriptedAnswer.Accepted], options => options.SpoolDirectory = Copy);
        next.Settle();
        Assert.Equal(["a", "c"], next.Receiver.Requests.SelectMany(request => request.Names));
        Assert.Equal(2, next.Client.Statistics.Dropped[DropReason.Damaged]);
        Assert.Equal(2, next.Logs.Count(33));
    }

    [Fact]
    public async Task Two_processes_share_a_folder_and_keep_apart()
    {
        await using var one = Create([ScriptedAnswer.NetworkError, ScriptedAnswer.Accepted]);
        await using var two = Create([ScriptedAnswer.NetworkError, ScriptedAnswer.Accepted]);
        one.Track("a1", "a2");
        two.Track("b1");
        await one.Complete(one.Client.FlushAsync(TestContext.Current.CancellationToken));
        await two.Complete(two.Client.FlushAsync(TestContext.Current.CancellationToken));
        one.RunUntil(TimeSpan.FromMinutes(3));
        two.RunUntil(TimeSpan.FromMinutes(3));
        Assert.Equal(["a1", "a2"], one.Receiver.Requests[^1].Names);
        Assert.Equal(["b1"], two.Receiver.Requests[^1].Names);
    }

    [Fact]
    public async Task A_running_process_takes_over_from_one_that_ends()
    {
        await using var survivor = Create([ScriptedAnswer.Accepted]);
        survivor.Settle();
        await using (var ending = Create([ScriptedAnswer.NetworkError]))
        {
            ending.Track("left");
            await ending.Complete(ending.Client.PersistAsync(TestContext.Current.CancellationToken));
            await ending.CloseAsync();
        }

        survivor.RunUntil(TimeSpan.FromMinutes(2));
        Assert.Equal(["left"], survivor.Receiver.Requests.Single().Names);
    }

    [Fact]
    public async Task Events_of_another_key_are_left_alone_until_that_is_allowed()
    {
        await using (var old = Create([ScriptedAnswer.Error(401, "key_revoked")], options => options.InstrumentationKey = "ik_old"))
        {
            old.Track("a");
            await old.Complete(old.Client.FlushAsync(TestContext.Current.CancellationToken));
            await old.CloseAsync();
        }

        await using (var strict = Create([]))
        {
            strict.Settle();
            Assert.Empty(strict.Receiver.Requests);
            Assert.Equal(1, strict.Logs.Count(34));
        }

        await using var allowed = Create([ScriptedAnswer.Accepted], options => options.SpoolAcceptAnyKey = true);
        allowed.Settle();
        Assert.Equal(["a"], allowed.Receiver.Requests.Single().Names);
    }

    [Fact]
    public async Task A_full_spool_gives_up_its_oldest_and_tells_of_each()
    {
        await using var stage = Create(
            [ScriptedAnswer.NetworkError],
            options => (options.SpoolMaxBytes, options.MaxRetryDelay, options.RetryDelay) = (1 << 20, TimeSpan.FromDays(1), TimeSpan.FromDays(1)));
        stage.Track("first");
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        for (var i = 0; i < 4000; i++)
        {
            var click = Stage.Click($"e{i}");
            click.Context = new EventContext { Url = new string('x', 400) };
            stage.Client.Track(click);
        }

        await stage.Complete(stage.Client.PersistAsync(TestContext.Current.CancellationToken));
        var statistics = stage.Client.Statistics;
        Assert.InRange(statistics.QueuedBytes, 1 << 19, 1 << 20);
        Assert.InRange(folder.EventFiles().Sum(file => new FileInfo(file).Length), 1 << 19, (1 << 20) + 200_000);
        Assert.Equal(4001, statistics.Queued + statistics.Dropped[DropReason.Overflow]);
        Assert.Equal(statistics.Dropped[DropReason.Overflow], stage.Dropped.Sum(drop => drop.Count));
        Assert.Contains("SKU-first", stage.Dropped.First().ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_refuses_costs_safety_and_not_the_events()
    {
        var blocked = Path.Combine(folder.Path, "file");
        await File.WriteAllTextAsync(blocked, "", TestContext.Current.CancellationToken);
        await using var stage = Create([ScriptedAnswer.Accepted, ScriptedAnswer.Accepted], options => options.SpoolDirectory = Path.Combine(blocked, "spool"));
        stage.Track("a");
        Assert.False(await stage.Complete(stage.Client.PersistAsync(TestContext.Current.CancellationToken)));
        Assert.True(stage.Client.Statistics.SpoolFails);
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(["a"], stage.Receiver.Requests.Single().Names);
        Assert.Equal(1, stage.Logs.Count(31));

        File.Delete(blocked);
        stage.Track("b");
        Assert.True(await stage.Complete(stage.Client.PersistAsync(TestContext.Current.CancellationToken)));
        Assert.False(stage.Client.Statistics.SpoolFails);
        Assert.Equal(1, stage.Logs.Count(32));
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task A_folder_removed_by_hand_is_noticed_and_replaced()
    {
        await using var stage = Create([ScriptedAnswer.Accepted, ScriptedAnswer.Accepted]);
        stage.Track("gone");
        await stage.Complete(stage.Client.PersistAsync(TestContext.Current.CancellationToken));
        Directory.Delete(Directory.GetDirectories(folder.Path).Single(), recursive: true);
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(1, stage.Client.Statistics.Dropped[DropReason.Damaged]);
        stage.Track("later");
        Assert.True(await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(["later"], stage.Receiver.Requests.Single().Names);
    }

    [Fact]
    public async Task A_stopped_client_keeps_spooling_for_the_next()
    {
        await using (var stopped = Create([ScriptedAnswer.Error(401, "key_unknown")]))
        {
            stopped.Track("a");
            await stopped.Complete(stopped.Client.FlushAsync(TestContext.Current.CancellationToken));
            stopped.Track("b");
            await stopped.CloseAsync();
            Assert.Empty(stopped.Dropped);
        }

        await using var next = Create([ScriptedAnswer.Accepted]);
        next.Settle();
        Assert.Equal(["a", "b"], next.Receiver.Requests.Single().Names);
    }

    private string Copy => Path.Combine(folder.Path, "copy");

    private Stage Create(IEnumerable<ScriptedAnswer> answers, Action<TrackingClientOptions>? configure = null) => new(answers, options =>
    {
        options.SpoolDirectory = Path.Combine(folder.Path, "");
        configure?.Invoke(options);
    });

    /// <summary>The folder as a process killed at this moment would leave it: all files, and no lock.</summary>
    private void CopyAsLeftBehind()
    {
        foreach (var file in Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories).Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)))
        {
            var target = Path.Combine(Copy, Path.GetRelativePath(folder.Path, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var written = File.Create(target);
            source.CopyTo(written);
        }
    }
}
