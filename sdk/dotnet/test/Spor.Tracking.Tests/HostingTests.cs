using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Spor.Tracking.Tests.Support;

namespace Spor.Tracking.Tests;

public sealed class HostingTests
{
    [Fact]
    public async Task A_host_sends_what_waits_when_it_stops()
    {
        var receiver = new Edge(HttpStatusCode.Accepted);
        using var host = Build(receiver, services => services.AddSporTracking(Section()).AddHostedService<TracksWhileStopping>());
        await host.StartAsync(TestContext.Current.CancellationToken);
        var client = host.Services.GetRequiredService<TrackingClient>();
        Assert.Same(client, host.Services.GetRequiredService<ITrackingClientFactory>().GetClient(""));
        client.Track(Stage.Click("a"));
        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, client.Statistics.Sent);
        Assert.Equal(TrackingState.Closed, client.Statistics.State);
        Assert.Equal(new Uri("https://events.shop.example/api/events"), receiver.Uri);
    }

    [Fact]
    public async Task A_host_with_wrong_settings_does_not_start_and_says_all_that_is_wrong()
    {
        using var host = Build(new Edge(HttpStatusCode.Accepted), services => services.AddSporTracking(Section(("Endpoint", "/relative"), ("BatchSise", "3"))));
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
        Assert.Contains("Spor:BatchSise is not a setting", error.Message, StringComparison.Ordinal);
        Assert.Contains("Endpoint", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_clients_live_side_by_side()
    {
        using var host = Build(new Edge(HttpStatusCode.Accepted), services => services
            .AddSporTracking("dk", Section())
            .AddSporTracking("se", options => (options.Endpoint, options.InstrumentationKey) = (new Uri("https://se.example"), "ik_se")));
        await host.StartAsync(TestContext.Current.CancellationToken);
        var factory = host.Services.GetRequiredService<ITrackingClientFactory>();
        Assert.NotSame(factory.GetClient("dk"), factory.GetClient("se"));
        Assert.Same(factory.GetClient("dk"), factory.GetClient("dk"));
        Assert.Null(host.Services.GetService<TrackingClient>());
        Assert.Throws<InvalidOperationException>(() => factory.GetClient("no"));
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(HttpStatusCode.Accepted, HealthStatus.Healthy)]
    [InlineData(HttpStatusCode.ServiceUnavailable, HealthStatus.Degraded)]
    [InlineData(HttpStatusCode.Unauthorized, HealthStatus.Unhealthy)]
    public async Task Health_tells_what_the_receiver_answers(HttpStatusCode answer, HealthStatus expected)
    {
        using var host = Build(new Edge(answer), services => services.AddSporTracking(Section()).AddHealthChecks().AddSporTracking());
        await host.StartAsync(TestContext.Current.CancellationToken);
        var client = host.Services.GetRequiredService<TrackingClient>();
        client.Track(Stage.Click("a"));
        await client.FlushAsync(TestContext.Current.CancellationToken);
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
        Assert.Equal(expected, report.Entries["spor_tracking"].Status);
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Requests_write_no_lines_of_their_own_to_the_log()
    {
        var logs = new CollectedLogs();
        using var host = Build(new Edge(HttpStatusCode.Accepted), services => services.AddSporTracking(Section()), logs);
        await host.StartAsync(TestContext.Current.CancellationToken);
        var client = host.Services.GetRequiredService<TrackingClient>();
        client.Track(Stage.Click("a"));
        Assert.True(await client.FlushAsync(TestContext.Current.CancellationToken));
        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain(logs.Lines, line => line.Category.Contains("HttpClient", StringComparison.Ordinal));
        Assert.Equal((1, 1, 1), (logs.Count(1), logs.Count(2), logs.Count(14)));
    }

    private static IConfigurationSection Section(params (string Name, string Value)[] more)
    {
        var values = new Dictionary<string, string?> { ["Spor:Endpoint"] = "https://events.shop.example", ["Spor:InstrumentationKey"] = "ik_host" };
        foreach (var (name, value) in more)
        {
            values["Spor:" + name] = value;
        }

        return new ConfigurationBuilder().AddInMemoryCollection(values).Build().GetSection("Spor");
    }

    private static IHost Build(Edge receiver, Action<IServiceCollection> add, CollectedLogs? logs = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        if (logs is not null)
        {
            builder.Logging.Services.AddSingleton<Microsoft.Extensions.Logging.ILoggerFactory>(logs);
        }

        add(builder.Services);
        builder.Services.AddHttpClient("Spor.Tracking").ConfigurePrimaryHttpMessageHandler(() => receiver);
        return builder.Build();
    }

    private sealed class TracksWhileStopping(TrackingClient client) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            client.Track(Stage.Click("last"));
            return Task.CompletedTask;
        }
    }

    private sealed class Edge(HttpStatusCode status) : HttpMessageHandler
    {
        public Uri? Uri { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Uri = request.RequestUri;
            var body = status == HttpStatusCode.Accepted ? """{"receiptId":"r-0-1-0"}""" : """{"code":"key_unknown"}""";
            return Task.FromResult(new HttpResponseMessage(status) { Content = new StringContent(body) });
        }
    }
}
