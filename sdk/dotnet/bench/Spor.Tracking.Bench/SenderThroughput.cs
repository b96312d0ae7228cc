using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;

namespace Spor.Tracking.Bench;

/// <summary>Events per second from Track to a receiver on loopback that unpacks and parses each body, in this process too.</summary>
internal static class SenderThroughput
{
    private const int WarmUp = 50_000;
    private const int Events = 400_000;

    public static async Task<double> MeasureAsync(bool spool)
    {
        var folder = spool ? Directory.CreateTempSubdirectory("spor-bench-") : null;
        try
        {
            await using var receiver = await LocalReceiver.StartAsync();
            await using var client = Clients.Create(receiver.Endpoint, null, folder?.FullName);
            await SendAsync(client, WarmUp);
            var began = Stopwatch.GetTimestamp();
            await SendAsync(client, Events);
            var elapsed = Stopwatch.GetElapsedTime(began);
            if (receiver.Count != WarmUp + Events)
            {
                throw new InvalidOperationException($"{receiver.Count} events arrived of {WarmUp + Events}");
            }

            return Events / elapsed.TotalSeconds;
        }
        finally
        {
            folder?.Delete(recursive: true);
        }
    }

    private static async Task SendAsync(TrackingClient client, int events)
    {
        for (var i = 0; i < events; i++)
        {
            client.Track(Clients.Click(i));
        }

        while (!await client.FlushAsync())
        {
            await Task.Delay(10);
        }
    }
}
