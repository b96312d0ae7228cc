using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.Bench;

/// <summary>What one call of Track costs the thread that makes it, without the making of the event.</summary>
internal static class CallerCost
{
    private const int Rounds = 30;
    private const int PerRound = 10_000;

    /// <summary>The median of many rounds, each into an empty queue, with the delivery running beside it as in a real process.</summary>
    public static (double Nanoseconds, double Bytes) Measure(string? spoolDirectory)
    {
        using var http = new HttpClient(new Accepting());
        using var client = Clients.Create(new Uri("http://127.0.0.1:1"), () => http, spoolDirectory);
        var events = new TrackingEvent[PerRound];
        var nanoseconds = new double[Rounds];
        var bytes = new double[Rounds];
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < PerRound; i++)
            {
                events[i] = Clients.Click(i);
            }

            var allocated = GC.GetAllocatedBytesForCurrentThread();
            var watch = Stopwatch.GetTimestamp();
            foreach (var next in events)
            {
                client.Track(next);
            }

            nanoseconds[round] = Stopwatch.GetElapsedTime(watch).TotalNanoseconds / PerRound;
            bytes[round] = (double)(GC.GetAllocatedBytesForCurrentThread() - allocated) / PerRound;
            client.FlushAsync().GetAwaiter().GetResult();
        }

        Array.Sort(nanoseconds);
        Array.Sort(bytes);
        return (nanoseconds[Rounds / 2], bytes[Rounds / 2]);
    }

    public static (double Nanoseconds, double Bytes) InSpool()
    {
        var folder = Directory.CreateTempSubdirectory("spor-bench-");
        try
        {
            return Measure(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private sealed class Accepting : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.Accepted));
    }
}
