using System;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>Every message the client logs. Ids are stable: alerts may be built on them. Documented in the README.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Tracking to {Endpoint} has started; spool: {SpoolDirectory}", EventName = "Started")]
    public static partial void Started(this ILogger logger, Uri endpoint, string spoolDirectory);

    [LoggerMessage(2, LogLevel.Information, "Tracking has ended: {Sent} events sent, {Dropped} dropped, {Queued} kept in the spool", EventName = "Ended")]
    public static partial void Ended(this ILogger logger, long sent, long dropped, int queued);

    [LoggerMessage(10, LogLevel.Error, "Tracking has STOPPED: the receiver answered {Status} {Code}: {Reason}. Events are kept as far as the queue reaches. Mend the instrumentation key and restart", EventName = "Stopped")]
    public static partial void Stopped(this ILogger logger, int status, string code, string reason);

    [LoggerMessage(11, LogLevel.Warning, "The receiver does not take events ({Status} {Code}: {Reason}); trying again in {Delay}", EventName = "Waiting")]
    public static partial void Waiting(this ILogger logger, Exception? exception, int status, string code, string reason, TimeSpan delay);

    [LoggerMessage(12, LogLevel.Information, "The receiver takes events again after {Failures} failed requests", EventName = "Recovered")]
    public static partial void Recovered(this ILogger logger, int failures);

    [LoggerMessage(13, LogLevel.Error, "The receiver refused a request for good ({Status} {Code}: {Reason}); {Events} events dropped", EventName = "RequestRefused")]
    public static partial void RequestRefused(this ILogger logger, int status, string code, string reason, int events);

    [LoggerMessage(14, LogLevel.Debug, "Sent {Events} events, receipt {ReceiptId}", EventName = "Sent")]
    public static partial void Sent(this ILogger logger, int events, string? receiptId);

    [LoggerMessage(15, LogLevel.Warning, "The receiver refuses compressed requests; sending them as they are", EventName = "CompressionOff")]
    public static partial void CompressionOff(this ILogger logger);

    [LoggerMessage(20, LogLevel.Warning, "Events dropped, reason {Reason}: {Total} so far, {EventType} {EventId}: {Detail}", EventName = "Dropped")]
    public static partial void Dropped(this ILogger logger, string reason, long total, string? eventType, Guid? eventId, string detail);

    [LoggerMessage(21, LogLevel.Error, "A callback of the host threw", EventName = "CallbackFailed")]
    public static partial void CallbackFailed(this ILogger logger, Exception exception);

    [LoggerMessage(22, LogLevel.Error, "Tracking an event failed", EventName = "TrackFailed")]
    public static partial void TrackFailed(this ILogger logger, Exception exception);

    [LoggerMessage(23, LogLevel.Critical, "The delivery failed in a way it should not and goes on", EventName = "DeliveryFailed")]
    public static partial void DeliveryFailed(this ILogger logger, Exception exception);

    [LoggerMessage(30, LogLevel.Information, "Took over {Events} events that an earlier process left in {Folder}", EventName = "SpoolAdopted")]
    public static partial void SpoolAdopted(this ILogger logger, int events, string folder);

    [LoggerMessage(31, LogLevel.Error, "The spool in {Directory} cannot be used; events are kept in memory only", EventName = "SpoolFailed")]
    public static partial void SpoolFailed(this ILogger logger, Exception exception, string directory);

    [LoggerMessage(32, LogLevel.Information, "The spool in {Directory} works again", EventName = "SpoolRecovered")]
    public static partial void SpoolRecovered(this ILogger logger, string directory);

    [LoggerMessage(33, LogLevel.Error, "{Events} events in {File} are damaged and were given up", EventName = "SpoolDamaged")]
    public static partial void SpoolDamaged(this ILogger logger, int events, string file);

    [LoggerMessage(34, LogLevel.Warning, "{Folder} holds events of another instrumentation key ({KeyId}) and is left alone; set SpoolAcceptAnyKey after rotating the key of one tenant", EventName = "SpoolOtherKey")]
    public static partial void SpoolOtherKey(this ILogger logger, string folder, string keyId);

    [LoggerMessage(35, LogLevel.Warning, "The file system of {Directory} has no locks: what other processes left there is not taken over", EventName = "SpoolNotExclusive")]
    public static partial void SpoolNotExclusive(this ILogger logger, string directory);

    [LoggerMessage(36, LogLevel.Warning, "A file of the spool could not be deleted or updated; some events may be sent twice under the same id", EventName = "SpoolCleanupFailed")]
    public static partial void SpoolCleanupFailed(this ILogger logger, Exception exception);
}
