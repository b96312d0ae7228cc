using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Linq;
using System.Net.Http;
using System.Threading.Tasks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Spor.Tracking;

/// <summary>Creates each registered client once, from its named options and what the host has, and closes all of them.</summary>
internal sealed class TrackingClientFactory(IServiceProvider services, IEnumerable<TrackingClientRegistration> registrations)
    : ITrackingClientFactory, IAsyncDisposable, IDisposable
{
    /// <summary>Name of the HTTP client that carries the events.</summary>
    public const string HttpClientName = "Spor.Tracking";

    private readonly HashSet<string> names = [.. registrations.Select(registration => registration.Name)];
    private readonly ConcurrentDictionary<string, Lazy<TrackingClient>> clients = new(StringComparer.Ordinal);

    public IReadOnlyCollection<string> Names => names;

    public TrackingClient GetClient(string name)
    {
        if (!names.Contains(name))
        {
            var registered = string.Join(", ", names.Select(known => $"\"{known}\""));
            throw new InvalidOperationException($"No tracking client is registered as \"{name}\"; registered: {registered}.");
        }

        return clients.GetOrAdd(name, key => new Lazy<TrackingClient>(() => Create(key))).Value;
    }

    public async ValueTask DisposeAsync()
    {
        var open = clients.Values.Where(client => client.IsValueCreated).Select(client => client.Value.DisposeAsync().AsTask());
        await Task.WhenAll(open).ConfigureAwait(false);
    }

    // Not on this thread: a synchronization context here may wait for us.
    public void Dispose() => Task.Run(() => DisposeAsync().AsTask()).GetAwaiter().GetResult();

    private TrackingClient Create(string name)
    {
        var options = services.GetRequiredService<IOptionsMonitor<TrackingClientOptions>>().Get(name);
        var httpClients = services.GetRequiredService<IHttpClientFactory>();
        return new TrackingClient(options, new TrackingClientServices
        {
            CreateHttpClient = () => httpClients.CreateClient(HttpClientName),
            LoggerFactory = services.GetService<ILoggerFactory>(),
            MeterFactory = services.GetService<IMeterFactory>(),
            TimeProvider = services.GetService<TimeProvider>(),
            VisitorAccessor = services.GetService<IVisitorAccessor>(),
            Name = name,
        });
    }
}
