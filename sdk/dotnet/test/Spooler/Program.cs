using System;
using System.Globalization;
using Spor.Tracking;

// spooler <endpoint> <key> <spool folder> <first order> <orders>: tracks orders with a spool, says "persisted" when all are on
// disk, flushes until nothing waits, says "flushed", and goes on until its input ends.
var (endpoint, key, folder) = (new Uri(args[0]), args[1], args[2]);
var first = int.Parse(args[3], CultureInfo.InvariantCulture);
var count = int.Parse(args[4], CultureInfo.InvariantCulture);
await using var client = new TrackingClient(new TrackingClientOptions
{
    Endpoint = endpoint,
    InstrumentationKey = key,
    SpoolDirectory = folder,
    MaxQueueEvents = 100_000,
    RetryDelay = TimeSpan.FromMilliseconds(100),
    MaxRetryDelay = TimeSpan.FromSeconds(1),
    OnDropped = dropped => Console.Out.WriteLine($"dropped {dropped.Reason} {dropped.Message}"),
});
for (var order = first; order < first + count; order++)
{
    // Øre that a float would not add up: 0.10, 0.11, …
    var total = 100 + ((order % 100) * 0.01m) + 0.10m;
    client.Track(new OrderCreated($"O-{order}", "DKK", total, [new OrderLine("SKU-1", 1, total)]) { SessionId = $"s-{order % 50}" });
}

Console.Out.WriteLine($"persisted {await client.PersistAsync()}");
while (!await client.FlushAsync())
{
    await System.Threading.Tasks.Task.Delay(50);
}

Console.Out.WriteLine($"flushed {client.Statistics.Sent}");
while (Console.In.ReadLine() is not null)
{
}
