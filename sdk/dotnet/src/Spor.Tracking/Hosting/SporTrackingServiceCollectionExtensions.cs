using System;
using System.Linq;
using System.Threading;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Spor.Tracking;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds tracking to a host.</summary>
public static class SporTrackingServiceCollectionExtensions
{
    /// <summary>Adds a <see cref="TrackingClient"/> whose settings are those of a configuration section.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configuration">The section, such as <c>builder.Configuration.GetSection("Spor")</c>.</param>
    public static IServiceCollection AddSporTracking(this IServiceCollection services, IConfiguration configuration) =>
        services.AddSporTracking(Options.Options.DefaultName, configuration);

    /// <summary>Adds a <see cref="TrackingClient"/> whose settings are made in code.</summary>
    public static IServiceCollection AddSporTracking(this IServiceCollection services, Action<TrackingClientOptions> configure) =>
        services.AddSporTracking(Options.Options.DefaultName, configure);

    /// <summary>
    /// Adds one of several clients, to be had from <see cref="ITrackingClientFactory"/>, with the settings of a section.
    /// </summary>
    public static IServiceCollection AddSporTracking(this IServiceCollection services, string name, IConfiguration configuration)
    {
        AddClient(services, name).Configure(options => ConfigurationReader.Read(configuration, options));
        return services;
    }

    /// <summary>Adds one of several clients, to be had from <see cref="ITrackingClientFactory"/>, with settings made in code.</summary>
    public static IServiceCollection AddSporTracking(this IServiceCollection services, string name, Action<TrackingClientOptions> configure)
    {
        AddClient(services, name).Configure(configure);
        return services;
    }

    /// <summary>
    /// Adds a health check: the failure status when the receiver does not accept the key, degraded while it takes no events.
    /// </summary>
    /// <param name="builder">The host's health checks.</param>
    /// <param name="name">Name of the check.</param>
    /// <param name="clientName">Name of the client; empty for the one without a name.</param>
    /// <param name="failureStatus">What a refused key is reported as.</param>
    public static IHealthChecksBuilder AddSporTracking(
        this IHealthChecksBuilder builder,
        string name = "spor_tracking",
        string clientName = "",
        HealthStatus failureStatus = HealthStatus.Unhealthy)
    {
        if (builder is null)
        {
            throw new ArgumentNullException(nameof(builder));
        }

        return builder.Add(new HealthCheckRegistration(
            name,
            provider => new TrackingHealthCheck(provider.GetRequiredService<ITrackingClientFactory>(), clientName),
            failureStatus,
            tags: null));
    }

    private static OptionsBuilder<TrackingClientOptions> AddClient(IServiceCollection services, string name)
    {
        if (services is null)
        {
            throw new ArgumentNullException(nameof(services));
        }

        services.AddSingleton(new TrackingClientRegistration(name));
        if (name == Options.Options.DefaultName)
        {
            services.TryAddSingleton(provider => provider.GetRequiredService<ITrackingClientFactory>().GetClient(name));
        }

        if (!services.Any(service => service.ServiceType == typeof(TrackingClientFactory)))
        {
            AddShared(services);
        }

        return services.AddOptions<TrackingClientOptions>(name).ValidateOnStart();
    }

    private static void AddShared(IServiceCollection services)
    {
        services.AddHttpClient(TrackingClientFactory.HttpClientName, client => client.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(OwnHttpClient.CreateHandler)
            .RemoveAllLoggers();
        services.AddSingleton<TrackingClientFactory>();
        services.AddSingleton<ITrackingClientFactory>(provider => provider.GetRequiredService<TrackingClientFactory>());
        services.AddSingleton<IHostedService, TrackingLifetime>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TrackingClientOptions>, TrackingClientOptionsValidator>());
    }
}
