using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

/// <summary>
/// The cases of sdk/conformance/normalise that C# types can hold. Each event is sent, and each of its fields has the value that was
/// given or the one that the receiver stores.
/// </summary>
public sealed class NormaliseTests
{
    private static readonly JsonSerializerOptions AnyCase = new() { PropertyNameCaseInsensitive = true };

    [Fact]
    public async Task An_event_that_the_receiver_corrects_is_sent()
    {
        var sent = 0;
        foreach (var (name, given, stored) in Cases())
        {
            if (Typed(given) is not { } typed)
            {
                continue;
            }

            sent++;
            await using var stage = new Stage([ScriptedAnswer.Accepted]);
            typed.SessionId ??= "s-1";
            Assert.True(stage.Client.Track(typed), name);
            await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
            Assert.Empty(stage.Dropped);
            var json = stage.Receiver.Requests.Single().Events.Single();
            foreach (var (field, value) in given)
            {
                var (actual, expected) = (Plain(json[field]), new[] { Plain(value), Plain(stored.ContainsKey(field) ? stored[field] : value) });
                Assert.True(expected.Contains(actual), $"{name}: {field} is {actual}, not {string.Join(" or ", expected)}");
            }
        }

        // Ids as numbers and other values of a wrong type cannot be written in C#.
        Assert.InRange(sent, 10, 100);
    }

    [Fact]
    public async Task Half_an_emoji_costs_no_event()
    {
        await using var stage = new Stage([ScriptedAnswer.Accepted]);
        stage.Client.Track(new Search("shoe \ud83d", 3) { SessionId = "s-1", Properties = new Dictionary<string, object?> { ["note"] = "\udc5f" } });
        await stage.Complete(stage.Client.FlushAsync(TestContext.Current.CancellationToken));
        Assert.Empty(stage.Dropped);
        var json = stage.Receiver.Requests.Single().Events.Single();
        Assert.Equal(("shoe \ufffd", "\ufffd"), ((string?)json["phrase"], (string?)json["properties"]!["note"]));
    }

    /// <summary>The event as an object of its class; null if a value does not fit its property.</summary>
    private static TrackingEvent? Typed(JsonObject given)
    {
        var type = typeof(TrackingEvent).Assembly.GetType($"Spor.Tracking.{(string?)given["type"]}")!;
        try
        {
            var constructor = type.GetConstructors().MinBy(one => one.GetParameters().Length)!;
            var required = constructor.GetParameters().Select(one => Value(given[one.Name!], one.ParameterType)).ToArray();
            var typed = (TrackingEvent)constructor.Invoke(required);
            foreach (var (field, value) in given)
            {
                var property = type.GetProperty(field, BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance);
                if (property?.CanWrite == true)
                {
                    property.SetValue(typed, Value(value, property.PropertyType));
                }
            }

            return typed;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            return null;
        }
    }

    private static object? Value(JsonNode? json, Type type) => json is null ? null : json.Deserialize(type, AnyCase);

    /// <summary>A text that is equal for equal values; absent, null and a field that is null are the same.</summary>
    private static string Plain(JsonNode? json) => json switch
    {
        null => "null",
        JsonObject fields => $"{{{string.Join(",", fields.Where(one => one.Value is not null).Select(one => $"{one.Key}:{Plain(one.Value)}").Order(StringComparer.Ordinal))}}}",
        JsonArray items => $"[{string.Join(",", items.Select(Plain))}]",
        _ when json.GetValueKind() == JsonValueKind.Number => decimal.Parse(json.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture).ToString("0.############################", System.Globalization.CultureInfo.InvariantCulture),
        _ => json.ToJsonString(),
    };

    private static IEnumerable<(string Name, JsonObject Given, JsonObject Stored)> Cases() =>
        from file in Directory.GetFiles(CasesFolder(), "*.json").Order(StringComparer.Ordinal)
        from one in JsonNode.Parse(File.ReadAllText(file))!.AsArray()
        where one!["stored"] is not null && one["broken"] is null
        select ((string)one["name"]!, WrittenOut(one["event"])!.AsObject(), WrittenOut(one["stored"])!.AsObject());

    private static JsonNode? WrittenOut(JsonNode? json) => json switch
    {
        JsonObject fields when fields["$repeat"] is JsonArray part => new JsonArray([.. Enumerable.Range(0, (int)fields["times"]!).Select(_ => part[0]!.DeepClone())]),
        JsonObject fields when fields["$repeat"] is { } text => string.Concat(Enumerable.Repeat((string)text!, (int)fields["times"]!)),
        JsonObject fields => new JsonObject(fields.Select(one => KeyValuePair.Create(one.Key, WrittenOut(one.Value)))),
        JsonArray items => new JsonArray([.. items.Select(WrittenOut)]),
        _ => json?.DeepClone(),
    };

    private static string CasesFolder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../conformance/normalise"));
}
