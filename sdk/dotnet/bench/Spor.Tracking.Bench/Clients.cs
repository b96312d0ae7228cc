using System;
using System.Net.Http;

namespace Spor.Tracking.Bench;

/// <summary>Clients and events as a busy shop would have them.</summary>
internal static class Clients
{
    public static TrackingClient Create(Uri endpoint, Func<HttpClient>? createHttpClient, string? spoolDirectory) => new(
        new TrackingClientOptions
        {
            Endpoint = endpoint,
            InstrumentationKey = "ik_bench",
            BatchSize = 1000,
            MaxQueueEvents = 1_000_000,
            MaxQueueBytes = 1L << 30,
            SpoolDirectory = spoolDirectory,
        },
        new TrackingClientServices { CreateHttpClient = createHttpClient });

    /// <summary>About 370 bytes as JSON.</summary>
    public static ProductClicked Click(int number) => new("SKU-1234567")
    {
        AnonymousId = "0192f3a0-7b6c-7d8e-9f00-112233445566",
        SessionId = "0192f3a0-7b6c-7d8e-9f00-665544332211",
        Position = number % 50,
        SearchId = "0192f3a0-7b6c-7d8e-9f00-001122334455",
        Price = 499.95m,
        Currency = "DKK",
        Context = Context,
    };

    private static readonly EventContext Context = new() { Url = "https://shop.example/search", Locale = "da-DK" };
}
