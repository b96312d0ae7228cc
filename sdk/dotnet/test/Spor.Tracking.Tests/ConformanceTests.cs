using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

/// <summary>
/// Every case of sdk/conformance, with the queue in memory and in the spool. A queue in memory has no store to keep what is left
/// when the client is closed: the client reports it as unsent, which counts as the case's <c>left</c>.
/// </summary>
public sealed class ConformanceTests
{
    public static TheoryData<string, bool> Cases()
    {
        var cases = new TheoryData<string, bool>();
        foreach (var file in Directory.GetFiles(CasesFolder(), "*.json").Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileNameWithoutExtension(file);
            cases.Add(name, false);
            if (BoundsOfMemory(ReadCase(name)))
            {
                // A spool is bounded by files, not by single events.
                continue;
            }

            cases.Add(name, true);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Case_holds(string name, bool spooled)
    {
        using var folder = new TempFolder();
        await using var run = new ConformanceRun(ReadCase(name), spooled ? folder.Path : null);
        await run.RunAsync();
        run.Compare();
    }

    [Fact]
    public void There_are_cases() => Assert.True(Directory.GetFiles(CasesFolder(), "*.json").Length >= 30);

    private static bool BoundsOfMemory(JsonObject conformance) =>
        conformance["options"]!.AsObject().Any(option => option.Key is "maxQueueEvents" or "maxQueueBytes");

    private static JsonObject ReadCase(string name) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(CasesFolder(), name + ".json")))!.AsObject();

    private static string CasesFolder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../conformance/cases"));
}

/// <summary>One run of a case.</summary>
internal sealed class ConformanceRun : IAsyncDisposable
{
    private readonly JsonObject conformance;
    private readonly Stage stage;
    private Task closing = Task.CompletedTask;
    private bool closed;
    private List<string> left = [];

    public ConformanceRun(JsonObject conformance, string? spoolDirectory)
    {
        this.conformance = conformance;
        var answers = conformance["answers"]!.AsArray().Select(answer => Script(answer!.AsObject()));
        stage = new Stage(answers, options =>
        {
            options.FlushInterval = TimeSpan.FromSeconds(1);
            options.SpoolDirectory = spoolDirectory;
            foreach (var (name, value) in conformance["options"]!.AsObject())
            {
                Apply(options, name, value!.GetValue<int>());
            }
        });
    }

    public async Task RunAsync()
    {
        foreach (var step in conformance["steps"]!.AsArray())
        {
            var at = TimeSpan.FromMilliseconds((double)step!["at"]!);
            if (at > stage.Time.Now)
            {
                stage.RunUntil(at);
            }

            Carry(step);
        }

        stage.RunUntil(TimeSpan.FromMilliseconds((double)conformance["runUntil"]!));
        left = await LeftAsync();
    }

    public void Compare()
    {
        var expect = conformance["expect"]!.AsObject();
        Assert.Equal(0, stage.Receiver.Unexpected);
        CompareRequests(expect["requests"]!.AsArray());
        CompareDropped(expect["dropped"]!.AsArray());
        if (expect["errors"] is JsonArray errors)
        {
            Assert.Equal(errors.Select(error => (string?)error!["code"]), stage.Failures.Select(failure => failure.Code));
        }

        if (expect["stopped"] is { } stopped)
        {
            Assert.Equal((bool)stopped, stage.Failures.Any(failure => failure.Stopped));
        }

        if (expect["left"] is JsonArray expectedLeft)
        {
            Assert.Equal(expectedLeft.Select(name => (string?)name), left);
        }

        CompareIdentities();
    }

    public async ValueTask DisposeAsync()
    {
        await closing;
        await stage.DisposeAsync();
    }

    private static void Apply(TrackingClientOptions options, string name, int value)
    {
        var time = TimeSpan.FromMilliseconds(value);
        switch (name)
        {
            case "maxBatchEvents":
                options.BatchSize = value;
                break;
            case "maxBatchBytes":
                options.MaxBatchBytes = value;
                break;
            case "flushIntervalMs":
                options.FlushInterval = time;
                break;
            case "maxQueueEvents":
                options.MaxQueueEvents = value;
                break;
            case "maxQueueBytes":
                options.MaxQueueBytes = value;
                break;
            case "maxEventBytes":
                Assert.Equal(ReceiverLimits.EventBytes, value);
                break;
            case "backoffBaseMs":
                options.RetryDelay = time;
                options.MaxRetryDelay = time > options.MaxRetryDelay ? time : options.MaxRetryDelay;
                break;
            case "backoffCapMs":
                options.MaxRetryDelay = time;
                break;
            case "retryAfterCapMs":
                options.MaxRetryAfter = time;
                break;
            default:
                Assert.Fail($"option {name} is not known here");
                break;
        }
    }

    private static ScriptedAnswer Script(JsonObject answer)
    {
        var delay = TimeSpan.FromMilliseconds((double?)answer["delayMs"] ?? 0);
        if ((bool?)answer["networkError"] == true)
        {
            return ScriptedAnswer.NetworkError with { Delay = delay };
        }

        return new ScriptedAnswer((int)answer["status"]!, (string?)answer["text"] ?? "", delay)
        {
            Headers = answer["headers"]?.AsObject().ToDictionary(header => header.Key, header => (string)header.Value!) ?? [],
            BodyFor = answer["body"] is JsonObject body ? request => WithEventIds(body, request) : null,
        };
    }

    private static string WithEventIds(JsonObject body, ReceivedRequest request)
    {
        var answer = body.DeepClone().AsObject();
        foreach (var item in answer["rejected"]?.AsArray() ?? [])
        {
            item!["eventId"] = (string)request.Events[(int)item["index"]!]["eventId"]!;
        }

        return answer.ToJsonString();
    }

    private void Carry(JsonNode step)
    {
        switch ((string)step["call"]!)
        {
            case "track":
                var name = (string)step["name"]!;
                var taken = stage.Client.Track(CaseEvent.Create(name, step["event"]!.AsObject(), (int?)step["padBytes"]));
                Assert.Equal(!closed, taken);
                break;
            case "flush":
                _ = stage.Client.FlushAsync();
                break;
            case "close":
                closed = true;
                closing = stage.Client.DisposeAsync().AsTask();
                break;
            default:
                Assert.Fail($"call {step["call"]} is not known here");
                break;
        }
    }

    /// <summary>What still waits, in order: in the queue, in the files of the spool, or reported as unsent by the close.</summary>
    private async Task<List<string>> LeftAsync()
    {
        await closing;
        stage.Settle();
        if (!closed)
        {
            await stage.Complete(stage.Client.PersistAsync());
        }

        if (stage.Options.SpoolDirectory is { } folder && closed)
        {
            using var successor = new SpoolQueue(new SpoolSettings(folder, 1 << 20, "0000000000000000", true), new SpoolReports(), stage.Time);
            successor.RecoverOrphans();
            var batch = new List<QueuedEvent>();
            successor.Peek(batch, int.MaxValue, int.MaxValue);
            return [.. batch.Select(queued => Name(Encoding.UTF8.GetString(queued.Json)))];
        }

        if (stage.Options.SpoolDirectory is not null)
        {
            var lines = Directory.GetFiles(stage.Options.SpoolDirectory, "*.log", SearchOption.AllDirectories).Order(StringComparer.Ordinal).SelectMany(File.ReadAllLines);
            var all = lines.Select(line => JsonNode.Parse(line[9..])!).ToList();
            return [.. all.TakeLast(stage.Client.Statistics.Queued).Select(item => Name(item.ToJsonString()))];
        }

        var unsaved = closed
            ? stage.Dropped.Where(drop => drop.Reason == DropReason.Unsent).Select(drop => drop.ToJson()!)
            : stage.Client.TakeUnsaved().Select(queued => Encoding.UTF8.GetString(queued.Json));
        return [.. unsaved.Select(Name)];
    }

    private static string Name(string json) => (string)JsonNode.Parse(json)!["properties"]!["name"]!;

    private void CompareRequests(JsonArray expected)
    {
        var requests = stage.Receiver.Requests;
        Assert.Equal(
            expected.Select(request => string.Join(",", request!["events"]!.AsArray())),
            requests.Select(request => string.Join(",", request.Names)));
        var answers = conformance["answers"]!.AsArray();
        for (var i = 0; i < requests.Count; i++)
        {
            AssertBetween(expected[i]!["at"], requests[i].At, $"request {i}");
            if (i > 0)
            {
                var answered = requests[i - 1].At + TimeSpan.FromMilliseconds((double?)answers[i - 1]!["delayMs"] ?? 0);
                AssertBetween(expected[i]!["after"], requests[i].At - answered, $"request {i} after the answer before");
            }
        }
    }

    private void CompareDropped(JsonArray expected)
    {
        var dropped = stage.Dropped
            .Where(drop => drop.Reason != DropReason.Unsent)
            .Select(drop => $"{Name(drop.ToJson()!)} {TrackingMetrics.Name(drop.Reason)} {drop.Code}");
        Assert.Equal(expected.Select(drop => $"{drop!["event"]} {drop["reason"]} {drop["code"]}"), dropped);
    }

    private void CompareIdentities()
    {
        var seen = new Dictionary<string, (string Id, string Timestamp)>();
        foreach (var request in stage.Receiver.Requests)
        {
            Assert.Equal("ik_test", request.Key);
            Assert.Equal("/api/events", request.Uri.AbsolutePath);
            var sentAt = DateTimeOffset.Parse((string)request.Body["sentAt"]!, null);
            Assert.True(VirtualTime.Since(sentAt) <= request.At);
            foreach (var item in request.Events)
            {
                var id = (string)item["eventId"]!;
                var timestamp = (string)item["timestamp"]!;
                Assert.Equal(7, Guid.Parse(id).Version);
                Assert.True(DateTimeOffset.Parse(timestamp, null) <= sentAt);
                var name = (string)item["properties"]!["name"]!;
                Assert.Equal((id, timestamp), seen.GetValueOrDefault(name, (id, timestamp)));
                seen[name] = (id, timestamp);
            }
        }

        Assert.Equal(seen.Count, seen.Values.DistinctBy(item => item.Id).Count());
    }

    private static void AssertBetween(JsonNode? bounds, TimeSpan actual, string what)
    {
        if (bounds is JsonArray range)
        {
            Assert.True(
                actual.TotalMilliseconds >= (double)range[0]! && actual.TotalMilliseconds <= (double)range[1]!,
                $"{what}: {actual.TotalMilliseconds} ms is not within {range.ToJsonString()}");
        }
    }
}

/// <summary>Makes events of a case.</summary>
internal static class CaseEvent
{
    public static TrackingEvent Create(string name, JsonObject json, int? padBytes)
    {
        var created = Create(json);
        var properties = new Dictionary<string, object?> { ["name"] = name };
        if (padBytes is { } bytes)
        {
            properties["pad"] = new string('x', bytes);
        }

        created.SessionId = "session-1";
        created.Properties = properties;
        return created;
    }

    private static TrackingEvent Create(JsonObject json) => (string)json["type"]! switch
    {
        "Search" => new Search((string)json["phrase"]!, (int)json["resultsCount"]!)
        {
            SearchId = (string?)json["searchId"],
            ResultIds = json["resultIds"]?.AsArray().Select(item => (string)item!).ToList(),
            Filters = json["filters"]?.AsArray()
                .Select(item => new SearchFilter((string)item!["field"]!, [.. item["values"]!.AsArray().Select(value => (string)value!)]))
                .ToList(),
        },
        "ProductClicked" => new ProductClicked((string)json["productId"]!)
        {
            Position = (int?)json["position"],
            SearchId = (string?)json["searchId"],
        },
        "ProductAddedToCart" => new ProductAddedToCart((string)json["productId"]!, (decimal)json["quantity"]!)
        {
            UnitPrice = (decimal?)json["unitPrice"],
            Currency = (string?)json["currency"],
            SearchId = (string?)json["searchId"],
        },
        "OrderCreated" => new OrderCreated(
            (string)json["orderId"]!,
            (string)json["currency"]!,
            (decimal)json["total"]!,
            [.. json["lines"]!.AsArray().Select(line => new OrderLine((string)line!["productId"]!, (decimal)line["quantity"]!, (decimal)line["unitPrice"]!) { SearchId = (string?)line["searchId"] })]),
        var type => throw new JsonException($"event type {type} is not known here"),
    };
}
