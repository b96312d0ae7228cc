using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Microsoft.Extensions.Configuration;

namespace Spor.Tracking;

/// <summary>
/// Reads settings from a configuration section without reflection. A misspelt setting is a fault, not a default that nobody
/// notices.
/// </summary>
internal static class ConfigurationReader
{
    private static readonly Dictionary<string, Action<TrackingClientOptions, string>> Setters =
        new(StringComparer.OrdinalIgnoreCase)
        {
            [nameof(TrackingClientOptions.Endpoint)] = (options, value) => options.Endpoint = new Uri(value, UriKind.Absolute),
            [nameof(TrackingClientOptions.InstrumentationKey)] = (options, value) => options.InstrumentationKey = value,
            [nameof(TrackingClientOptions.BatchSize)] = (options, value) => options.BatchSize = Integer(value),
            [nameof(TrackingClientOptions.MaxBatchBytes)] = (options, value) => options.MaxBatchBytes = Integer(value),
            [nameof(TrackingClientOptions.FlushInterval)] = (options, value) => options.FlushInterval = Time(value),
            [nameof(TrackingClientOptions.Compression)] = (options, value) => options.Compression = bool.Parse(value),
            [nameof(TrackingClientOptions.MaxQueueEvents)] = (options, value) => options.MaxQueueEvents = Integer(value),
            [nameof(TrackingClientOptions.MaxQueueBytes)] = (options, value) => options.MaxQueueBytes = Long(value),
            [nameof(TrackingClientOptions.RequestTimeout)] = (options, value) => options.RequestTimeout = Time(value),
            [nameof(TrackingClientOptions.MaxRetries)] = (options, value) => options.MaxRetries = value.Length == 0 ? null : Integer(value),
            [nameof(TrackingClientOptions.RetryDelay)] = (options, value) => options.RetryDelay = Time(value),
            [nameof(TrackingClientOptions.MaxRetryDelay)] = (options, value) => options.MaxRetryDelay = Time(value),
            [nameof(TrackingClientOptions.MaxRetryAfter)] = (options, value) => options.MaxRetryAfter = Time(value),
            [nameof(TrackingClientOptions.ShutdownTimeout)] = (options, value) => options.ShutdownTimeout = Time(value),
            [nameof(TrackingClientOptions.SpoolDirectory)] = (options, value) => options.SpoolDirectory = value.Length == 0 ? null : value,
            [nameof(TrackingClientOptions.SpoolMaxBytes)] = (options, value) => options.SpoolMaxBytes = Long(value),
            [nameof(TrackingClientOptions.SpoolAcceptAnyKey)] = (options, value) => options.SpoolAcceptAnyKey = bool.Parse(value),
        };

    /// <summary>Applies the section; what is wrong with it is kept for the validation, which tells all faults at once.</summary>
    public static void Read(IConfiguration section, TrackingClientOptions options)
    {
        foreach (var setting in section.GetChildren())
        {
            if (!Setters.TryGetValue(setting.Key, out var set))
            {
                var known = string.Join(", ", Setters.Keys.OrderBy(name => name, StringComparer.Ordinal));
                options.ConfigurationFaults.Add($"{setting.Path} is not a setting; there are: {known}.");
                continue;
            }

            try
            {
                set(options, setting.Value ?? "");
            }
            catch (Exception error) when (error is FormatException or OverflowException)
            {
                options.ConfigurationFaults.Add($"{setting.Path} is \"{setting.Value}\": {error.Message}");
            }
        }
    }

    private static int Integer(string value) => int.Parse(value, CultureInfo.InvariantCulture);

    private static long Long(string value) => long.Parse(value, CultureInfo.InvariantCulture);

    private static TimeSpan Time(string value) => TimeSpan.Parse(value, CultureInfo.InvariantCulture);
}
