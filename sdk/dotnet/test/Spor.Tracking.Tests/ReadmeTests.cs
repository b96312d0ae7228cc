using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking.Tests;

/// <summary>The README says what is so.</summary>
public sealed class ReadmeTests
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(Here(), "../../README.md"));

    [Fact]
    public void Every_option_is_listed_with_its_default()
    {
        var defaults = new TrackingClientOptions();
        foreach (var property in typeof(TrackingClientOptions).GetProperties())
        {
            var row = Row($"`{property.Name}`");
            var expected = property.Name is nameof(TrackingClientOptions.Endpoint) or nameof(TrackingClientOptions.InstrumentationKey)
                ? "required"
                : property.GetValue(defaults) switch
                {
                    null => "none",
                    bool value => value ? "`true`" : "`false`",
                    var value => $"`{Convert.ToString(value, CultureInfo.InvariantCulture)}`",
                };
            Assert.Equal(expected, row[1]);
        }
    }

    [Fact]
    public void Every_log_message_is_listed_with_id_level_and_name()
    {
        var messages = typeof(Log).GetMethods(BindingFlags.Static | BindingFlags.Public)
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>()
            .ToList();
        Assert.True(messages.Count >= 19);
        Assert.Equal(messages.Count, messages.DistinctBy(message => message.EventId).Count());
        foreach (var message in messages)
        {
            var row = Row(message.EventId.ToString(CultureInfo.InvariantCulture));
            Assert.Equal([message.Level.ToString(), message.EventName!], row[1..3]);
        }
    }

    [Fact]
    public void Every_metric_and_reason_is_listed()
    {
        var text = string.Join('\n', Lines);
        foreach (var reason in Enum.GetValues<DropReason>())
        {
            Assert.Contains($"`{TrackingMetrics.Name(reason)}`", text, StringComparison.Ordinal);
        }

        string[] instruments = ["events.queued", "events.sent", "events.retried", "events.dropped", "request.duration", "queue.events", "queue.bytes"];
        foreach (var instrument in instruments)
        {
            Assert.NotEmpty(Row($"`spor.tracking.{instrument}`"));
        }
    }

    private static string[] Row(string firstCell)
    {
        var rows = Lines.Where(line => line.StartsWith('|')).Select(line => line.Split('|').Skip(1).Select(cell => cell.Trim()).ToArray());
        return rows.FirstOrDefault(row => row[0] == firstCell) ?? throw new InvalidOperationException($"README.md has no row for {firstCell}");
    }

    private static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
