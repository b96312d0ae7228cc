using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.Extensions.Configuration;

namespace Spor.Tracking.Tests;

public sealed class OptionsTests
{
    [Theory]
    [InlineData("https://events.shop.example", "https://events.shop.example/api/events")]
    [InlineData("https://events.shop.example/", "https://events.shop.example/api/events")]
    [InlineData("https://events.shop.example/api/events", "https://events.shop.example/api/events")]
    [InlineData("https://events.shop.example/api/events/", "https://events.shop.example/api/events")]
    [InlineData("http://shop.example:8080/track", "http://shop.example:8080/track/api/events")]
    [InlineData("https://shop.example/api/events?dryRun=1", "https://shop.example/api/events?dryRun=1")]
    public void Endpoint_may_be_base_or_full(string endpoint, string expected) =>
        Assert.Equal(expected, EndpointUri.Resolve(new Uri(endpoint)).AbsoluteUri);

    [Fact]
    public void Every_fault_is_told_at_once()
    {
        var options = new TrackingClientOptions
        {
            Endpoint = new Uri("ftp://x"),
            InstrumentationKey = "ik with blanks",
            BatchSize = 0,
            MaxBatchBytes = 1 << 30,
            FlushInterval = TimeSpan.Zero,
            MaxRetries = -1,
            MaxRetryDelay = TimeSpan.FromMilliseconds(5),
            SpoolDirectory = "",
        };
        var error = Assert.Throws<ArgumentException>(() => new TrackingClient(options));
        foreach (var name in (string[])["Endpoint", "InstrumentationKey", "BatchSize", "MaxBatchBytes", "FlushInterval", "MaxRetries", "MaxRetryDelay", "SpoolDirectory"])
        {
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Defaults_are_valid_but_for_the_two_required_settings()
    {
        Assert.Equal(2, TrackingClientOptionsValidator.Faults(new TrackingClientOptions()).Count);
        var set = new TrackingClientOptions { Endpoint = new Uri("https://x.example"), InstrumentationKey = "ik_x" };
        Assert.Empty(TrackingClientOptionsValidator.Faults(set));
    }

    [Fact]
    public void Configuration_sets_every_setting()
    {
        var values = new Dictionary<string, string?>
        {
            ["Endpoint"] = "https://events.shop.example",
            ["InstrumentationKey"] = "ik_1",
            ["BatchSize"] = "7",
            ["MaxBatchBytes"] = "2048",
            ["FlushInterval"] = "00:00:02",
            ["Compression"] = "false",
            ["MaxQueueEvents"] = "8",
            ["MaxQueueBytes"] = "4096",
            ["RequestTimeout"] = "00:00:03",
            ["MaxRetries"] = "9",
            ["RetryDelay"] = "00:00:04",
            ["MaxRetryDelay"] = "00:00:05",
            ["MaxRetryAfter"] = "00:00:06",
            ["ShutdownTimeout"] = "00:00:07",
            ["SpoolDirectory"] = "/var/spool/spor",
            ["SpoolMaxBytes"] = "2000000",
            ["SpoolAcceptAnyKey"] = "true",
        };
        var options = new TrackingClientOptions();
        ConfigurationReader.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), options);
        Assert.Empty(TrackingClientOptionsValidator.Faults(options));
        var defaults = new TrackingClientOptions();
        foreach (var property in typeof(TrackingClientOptions).GetProperties().Where(property => !property.Name.StartsWith("On", StringComparison.Ordinal)))
        {
            Assert.True(values.ContainsKey(property.Name), $"{property.Name} cannot be configured");
            Assert.NotEqual(property.GetValue(defaults), property.GetValue(options));
        }
    }

    [Fact]
    public void Misspelt_and_unreadable_settings_are_faults()
    {
        var values = new Dictionary<string, string?> { ["Endpont"] = "x", ["BatchSize"] = "many", ["FlushInterval"] = "1 s" };
        var options = new TrackingClientOptions();
        ConfigurationReader.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), options);
        var faults = string.Join("\n", TrackingClientOptionsValidator.Faults(options));
        Assert.Contains("Endpont is not a setting", faults, StringComparison.Ordinal);
        Assert.Contains("BatchSize is \"many\"", faults, StringComparison.Ordinal);
        Assert.Contains("FlushInterval is \"1 s\"", faults, StringComparison.Ordinal);
    }
}
