using System;
using System.Collections.Generic;

namespace Spor.Tracking;

/// <summary>Settings of a <see cref="TrackingClient"/>; read once, when the client is created.</summary>
public class TrackingClientOptions
{
    /// <summary>
    /// Address of the Event Receiver: its base address, such as <c>https://events.shop.example</c>, or the full one that ends in
    /// <c>/api/events</c>. Required.
    /// </summary>
    public Uri? Endpoint { get; set; }

    /// <summary>The instrumentation key, of kind server. Required. It decides which tenant and segment the events belong to.</summary>
    public string InstrumentationKey { get; set; } = "";

    /// <summary>Most events in a request, and how many waiting events start one. 1 to 1000; default 500.</summary>
    public int BatchSize { get; set; } = 500;

    /// <summary>Most bytes in a request before compression. At most 4194304; default 524288.</summary>
    public int MaxBatchBytes { get; set; } = 524_288;

    /// <summary>How long an event may wait for others before it is sent. Default one second.</summary>
    public TimeSpan FlushInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Whether requests are compressed with gzip. Default true.</summary>
    public bool Compression { get; set; } = true;

    /// <summary>
    /// Most events waiting in memory; beyond it the oldest is dropped, reason <see cref="DropReason.Overflow"/>. Default 20000.
    /// </summary>
    public int MaxQueueEvents { get; set; } = 20_000;

    /// <summary>Most bytes of JSON waiting in memory; beyond it the oldest event is dropped. Default 32 MiB.</summary>
    public long MaxQueueBytes { get; set; } = 32L << 20;

    /// <summary>How long to wait for an answer before the request counts as failed. Default 15 seconds.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How many times events are sent again before they are dropped, reason <see cref="DropReason.RetriesExhausted"/>. Null, the
    /// default: as long as the queue or the spool has room for them.
    /// </summary>
    public int? MaxRetries { get; set; }

    /// <summary>Delay before events are sent again after the first failure; doubled with each one more. Default one second.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest delay between two attempts. Default one minute.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Longest delay the receiver may ask for with <c>Retry-After</c>. Default five minutes.</summary>
    public TimeSpan MaxRetryAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long closing the client may take to send what waits. Default five seconds.</summary>
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Folder in which events are kept until their answer is known, so that neither a restart nor a long outage loses them. Several
    /// processes may share it; it must be on a local disk. Null, the default: events are in memory only.
    /// </summary>
    public string? SpoolDirectory { get; set; }

    /// <summary>Most bytes this process keeps in the spool; beyond it the oldest file of events is dropped. Default 256 MiB.</summary>
    public long SpoolMaxBytes { get; set; } = 256L << 20;

    /// <summary>
    /// Whether events that were spooled under another instrumentation key are sent with this one. Set it after rotating the key;
    /// never where tenants share a folder. Default false.
    /// </summary>
    public bool SpoolAcceptAnyKey { get; set; }

    /// <summary>Called for every event that is given up, on a thread of the pool, one call at a time.</summary>
    public Action<DroppedEvent>? OnDropped { get; set; }

    /// <summary>Called for every request that fails as a whole, on a thread of the pool, one call at a time.</summary>
    public Action<RequestFailure>? OnRequestFailed { get; set; }

    /// <summary>What could not be read from the configuration.</summary>
    internal List<string> ConfigurationFaults { get; } = [];

    internal TrackingClientOptions Copy() => (TrackingClientOptions)MemberwiseClone();
}
