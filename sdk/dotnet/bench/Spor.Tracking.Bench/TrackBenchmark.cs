using System;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;

namespace Spor.Tracking.Bench;

/// <summary>Track alone, under BenchmarkDotNet.</summary>
[Config(typeof(InThisProcess))]
public class TrackBenchmark : IDisposable
{
    private const int PerIteration = 10_000;

    private readonly TrackingEvent[] events = new TrackingEvent[PerIteration];
    private readonly HttpClient http = new(new Accepting());
    private TrackingClient? client;

    [GlobalSetup]
    public void Setup() => client = Clients.Create(new Uri("http://127.0.0.1:1"), () => http, null);

    [IterationSetup]
    public void MakeEvents()
    {
        client!.FlushAsync().GetAwaiter().GetResult();
        for (var i = 0; i < PerIteration; i++)
        {
            events[i] = Clients.Click(i);
        }
    }

    [Benchmark(OperationsPerInvoke = PerIteration)]
    public void Track()
    {
        foreach (var next in events)
        {
            client!.Track(next);
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        client?.Dispose();
        http.Dispose();
        GC.SuppressFinalize(this);
    }

    private sealed class InThisProcess : ManualConfig
    {
        public InThisProcess() => AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance).WithInvocationCount(1).WithUnrollFactor(1).WithIterationCount(30));
    }

    private sealed class Accepting : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(System.Net.HttpStatusCode.Accepted));
    }
}
