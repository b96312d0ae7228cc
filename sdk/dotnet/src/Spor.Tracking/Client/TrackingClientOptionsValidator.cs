using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.Extensions.Options;

namespace Spor.Tracking;

/// <summary>Finds every fault of the settings at once.</summary>
internal sealed class TrackingClientOptionsValidator : IValidateOptions<TrackingClientOptions>
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(24);

    public ValidateOptionsResult Validate(string? name, TrackingClientOptions options)
    {
        var faults = Faults(options);
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    /// <summary>What is wrong with the settings, one sentence each.</summary>
    public static List<string> Faults(TrackingClientOptions options)
    {
        var faults = new List<string>(options.ConfigurationFaults);
        var isHttp = options.Endpoint is { IsAbsoluteUri: true } endpoint && endpoint.Scheme is "http" or "https";
        Require(isHttp, "Endpoint must be an absolute http or https address, such as https://events.shop.example.");
        var isHeader = options.InstrumentationKey is { Length: > 0 } key && key.All(letter => letter is > ' ' and < (char)127);
        Require(isHeader, "InstrumentationKey must be the key as it was issued (ik_…), without blanks.");
        Require(
            options.BatchSize is >= 1 and <= ReceiverLimits.BatchEvents,
            $"BatchSize must be from 1 to {ReceiverLimits.BatchEvents}.");
        Require(
            options.MaxBatchBytes is >= 1024 and <= ReceiverLimits.BodyBytes,
            $"MaxBatchBytes must be from 1024 to {ReceiverLimits.BodyBytes}.");
        Require(options.MaxQueueEvents >= 1, "MaxQueueEvents must be at least 1.");
        Require(options.MaxQueueBytes >= 1024, "MaxQueueBytes must be at least 1024.");
        Require(options.MaxRetries is null or >= 0, "MaxRetries must be 0 or more, or absent for no bound.");
        RequireTime(options.FlushInterval, nameof(options.FlushInterval));
        RequireTime(options.RequestTimeout, nameof(options.RequestTimeout));
        RequireTime(options.RetryDelay, nameof(options.RetryDelay));
        RequireTime(options.MaxRetryAfter, nameof(options.MaxRetryAfter));
        RequireTime(options.MaxRetryDelay, nameof(options.MaxRetryDelay));
        Require(options.MaxRetryDelay >= options.RetryDelay, "MaxRetryDelay must not be below RetryDelay.");
        Require(
            options.ShutdownTimeout >= TimeSpan.Zero && options.ShutdownTimeout <= LongestTimer,
            "ShutdownTimeout must be from zero to 24 days.");
        Require(options.SpoolDirectory is not "", "SpoolDirectory must be a folder, or absent for no spool.");
        Require(options.SpoolMaxBytes >= 1 << 20, "SpoolMaxBytes must be at least 1048576.");
        return faults;

        void Require(bool holds, string fault)
        {
            if (!holds)
            {
                faults.Add(fault);
            }
        }

        void RequireTime(TimeSpan time, string name) =>
            Require(time >= TimeSpan.FromMilliseconds(1) && time <= LongestTimer, $"{name} must be from 1 millisecond to 24 days.");
    }
}
