using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.EndToEnd;

/// <summary>Against the real ingest, stream, processor and lake: what is tracked is in the lake once, to the cent.</summary>
public sealed class ExactlyOnceTests(SporServers stack)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task A_hundred_thousand_events_of_eight_threads_while_ingest_is_killed()
    {
        const int Threads = 8;
        const int Each = 12_500;
        var tenant = await stack.CreateTenantAsync();
        var dropped = new ConcurrentBag<DroppedEvent>();
        await using var client = new TrackingClient(new TrackingClientOptions
        {
            Endpoint = stack.Ingest,
            InstrumentationKey = tenant.Key,
            BatchSize = 1000,
            MaxQueueEvents = Threads * Each,
            MaxQueueBytes = 1L << 30,
            RetryDelay = TimeSpan.FromMilliseconds(100),
            MaxRetryDelay = TimeSpan.FromSeconds(1),
            OnDropped = dropped.Add,
        });
        var totals = new decimal[Threads];
        var threads = Enumerable.Range(0, Threads).Select(thread => new Thread(() => totals[thread] = TrackAll(client, thread, Each))).ToList();
        threads.ForEach(thread => thread.Start());
        await Until(() => client.Statistics.Sent >= 10_000, () => $"only {client.Statistics.Sent} sent");
        await stack.KillAsync("ingest");
        threads.ForEach(thread => thread.Join());
        await Flushed(client);

        Assert.Empty(dropped);
        Assert.Equal(Threads * Each, client.Statistics.Sent);
        Assert.True(client.Statistics.Retried > 0, "the kill was not noticed");
        var orders = Threads * Each / 4;
        await tenant.ExpectRowAsync(
            """
            select count(*)::varchar, count(distinct event_id)::varchar, count(distinct session_id)::varchar,
                   count(*) filter (type = 'OrderCreated')::varchar, sum(total)::varchar
            from events
            """,
            Text(Threads * Each),
            Text(Threads * Each),
            Text(Threads),
            Text(orders),
            totals.Sum().ToString("F4", CultureInfo.InvariantCulture));
        await tenant.ExpectRowAsync("select count(*)::varchar from quarantine", "0");
    }

    [Fact]
    public async Task A_killed_process_and_its_spool_while_ingest_does_not_answer()
    {
        const int First = 6_000;
        const int Second = 1_000;
        var tenant = await stack.CreateTenantAsync();
        var folder = Directory.CreateTempSubdirectory("spor-e2e-spool-").FullName;
        try
        {
            using (var doomed = Start(tenant, folder, 0, First))
            {
                // Some are sent, one request is on its way, the others wait: then the process is gone.
                await Until(() => Directory.GetFiles(folder, "position", SearchOption.AllDirectories).Length > 0, () => "nothing sent");
                var ingest = await stack.PidAsync("ingest");
                await SignalAsync(ingest, "STOP");
                Assert.Equal("persisted True", await ReadLineAsync(doomed));
                doomed.Kill();
                await doomed.WaitForExitAsync(TestContext.Current.CancellationToken);
                await SignalAsync(ingest, "CONT");
            }

            using var next = Start(tenant, folder, First, Second);
            Assert.Equal("persisted True", await ReadLineAsync(next));
            Assert.StartsWith("flushed ", await ReadLineAsync(next), StringComparison.Ordinal);
            next.StandardInput.Close();
            await next.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Empty(Directory.GetFileSystemEntries(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        var total = Enumerable.Range(0, First + Second).Sum(order => 100 + ((order % 100) * 0.01m) + 0.10m);
        await tenant.ExpectRowAsync(
            "select count(*)::varchar, count(distinct order_id)::varchar, count(distinct event_id)::varchar, sum(total)::varchar from orders",
            Text(First + Second),
            Text(First + Second),
            Text(First + Second),
            total.ToString("F4", CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task A_refused_event_is_told_and_kept_in_the_quarantine_and_its_neighbours_arrive()
    {
        var tenant = await stack.CreateTenantAsync();
        var dropped = new ConcurrentBag<DroppedEvent>();
        await using var client = Create(tenant, options => options.OnDropped = dropped.Add);
        client.Track(new ProductClicked("SKU-1") { SessionId = "s" });
        client.Track(new OrderCreated("O-1", "kr.", 1m, [new OrderLine("SKU-1", 1, 1m)]) { SessionId = "s" });
        client.Track(new ProductClicked("SKU-2") { SessionId = "s" });
        await Flushed(client);
        await Until(() => !dropped.IsEmpty, () => "nothing told");
        var told = Assert.Single(dropped);
        Assert.Equal((DropReason.Rejected, "field_format", "/currency"), (told.Reason, told.Code, told.Path));
        await tenant.ExpectRowAsync("select count(*)::varchar from events", "2");
        await tenant.ExpectRowAsync("select code, event_id from quarantine", "field_format", told.EventId!.Value.ToString());
    }

    [Fact]
    public async Task A_revoked_key_stops_the_client_and_it_says_so()
    {
        var tenant = await stack.CreateTenantAsync();
        var failures = new ConcurrentQueue<RequestFailure>();
        await using var client = Create(tenant, options => options.OnRequestFailed = failures.Enqueue);
        client.Track(new ProductClicked("SKU-1") { SessionId = "s" });
        await Flushed(client);
        await stack.SporAsync("keys", "revoke", tenant.Key, "--json");
        await Until(
            () =>
            {
                client.Track(new ProductClicked("SKU-2") { SessionId = "s" });
                return client.Statistics.State == TrackingState.Stopped;
            },
            () => "the key still works");
        await Until(() => !failures.IsEmpty, () => "nothing told");
        Assert.Equal((401, "key_revoked", true), (failures.Last().Status, failures.Last().Code, failures.Last().Stopped));
    }

    [Fact]
    public async Task Every_field_arrives_as_it_was_given()
    {
        var tenant = await stack.CreateTenantAsync();
        await using var client = Create(tenant, _ => { });
        var time = DateTimeOffset.UtcNow.AddHours(-1);
        client.Track(new OrderCreated("O-1", "DKK", 1234.5678m, [new OrderLine("SKU-1", 2.5m, 33.333333333m) { SearchId = "S-1", Discount = 0.01m }])
        {
            Timestamp = time,
            SessionId = "s",
            AnonymousId = "a",
            UserId = "ø",
            Consent = new Consent { Analytics = true, Personalization = false },
            Context = new EventContext { Url = "https://shop.example/æ", Locale = "da-DK" },
            Properties = new Dictionary<string, object?> { ["nested"] = new Dictionary<string, object?> { ["x"] = 1 } },
            CouponCodes = ["XMAS", "10%"],
            Tax = 0.1m,
        });
        await Flushed(client);
        await tenant.ExpectRowAsync(
            """
            select order_id, total::varchar, tax::varchar, lines[1].unit_price::varchar, lines[1].quantity::varchar, lines[1].search_id,
                   coupon_codes[2], user_id, consent_personalization::varchar, context_url, properties, epoch_us(event_time)::varchar
            from events
            """,
            "O-1", "1234.5678", "0.1000", "33.3333", "2.5000", "S-1", "10%", "ø", "false", "https://shop.example/æ", """{"nested":{"x":1}}""", Text((time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / 10));
    }

    private static async Task SignalAsync(int pid, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", Text(pid)]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>A quarter each of searches, clicks, cart adds and orders. Gives the sum of the orders.</summary>
    private static decimal TrackAll(TrackingClient client, int thread, int count)
    {
        var sum = 0m;
        for (var i = 0; i < count; i++)
        {
            var price = 10 + (i % 1000 * 0.01m);
            sum += i % 4 == 3 ? price : 0;
            TrackingEvent next = (i % 4) switch
            {
                0 => new Search("running shoes", 3) { SearchId = $"S-{thread}-{i}", ResultIds = ["SKU-1", "SKU-2", "SKU-3"] },
                1 => new ProductClicked("SKU-2") { Position = 2, SearchId = $"S-{thread}-{i - 1}", Price = price, Currency = "DKK" },
                2 => new ProductAddedToCart("SKU-2", 1) { UnitPrice = price, Currency = "DKK", SearchId = $"S-{thread}-{i - 2}" },
                _ => new OrderCreated($"O-{thread}-{i}", "DKK", price, [new OrderLine("SKU-2", 1, price) { SearchId = $"S-{thread}-{i - 3}" }]),
            };
            next.SessionId = $"session-{thread}";
            client.Track(next);
        }

        return sum;
    }

    private TrackingClient Create(Tenant tenant, Action<TrackingClientOptions> configure)
    {
        var options = new TrackingClientOptions { Endpoint = stack.Ingest, InstrumentationKey = tenant.Key };
        configure(options);
        return new TrackingClient(options);
    }

    private static async Task Flushed(TrackingClient client)
    {
        var watch = Stopwatch.StartNew();
        while (!await client.FlushAsync(TestContext.Current.CancellationToken))
        {
            Assert.True(watch.Elapsed < Patience, $"{client.Statistics.State} with {client.Statistics.Queued} queued");
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    private static async Task Until(Func<bool> holds, Func<string> complaint)
    {
        var watch = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(watch.Elapsed < Patience, complaint());
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    private Process Start(Tenant tenant, string folder, int first, int count) => Process.Start(new ProcessStartInfo(
        "dotnet",
        [Path.Combine(AppContext.BaseDirectory, "Spooler.dll"), stack.Ingest.AbsoluteUri, tenant.Key, folder, Text(first), Text(count)])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    private static async Task<string?> ReadLineAsync(Process process)
    {
        using var patience = new CancellationTokenSource(Patience);
        return await process.StandardOutput.ReadLineAsync(patience.Token);
    }
}
