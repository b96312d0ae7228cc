using System;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Spor.Tracking.AspNetCore;

/// <summary>Adds the visitor of each request to the events tracked in it.</summary>
public static class SporVisitorExtensions
{
    /// <summary>
    /// Adds what <see cref="UseSporVisitor"/> needs; <c>AddSporTracking</c> adds the client that uses it.
    /// </summary>
    public static IServiceCollection AddSporVisitor(this IServiceCollection services, Action<SporVisitorOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<SporVisitorOptions>();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddSingleton(provider => new VisitorReader(provider.GetRequiredService<IOptions<SporVisitorOptions>>().Value));
        services.TryAddSingleton<RequestVisitor>();
        services.TryAddSingleton<IVisitorAccessor>(provider => provider.GetRequiredService<RequestVisitor>());
        return services;
    }

    /// <summary>
    /// Reads visitor, session and consent of each request. Put it before the endpoints that track, and after authentication where
    /// <see cref="SporVisitorOptions.GetUserId"/> needs it.
    /// </summary>
    public static IApplicationBuilder UseSporVisitor(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        return app.UseMiddleware<VisitorMiddleware>();
    }

    /// <summary>The visitor of a request, to be handed to work that outlives it; null before <see cref="UseSporVisitor"/>.</summary>
    public static Visitor? GetSporVisitor(this HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        return http.Features.Get<Visitor>();
    }

    /// <summary>
    /// The search that led to this request, as the page sent it in the header, query or form field
    /// <c>X-Spor-Search-Id</c>: keep it with the cart line and give it to <see cref="OrderLine.SearchId"/>. A form counts once it
    /// was read, as model binding does before the shop's code runs.
    /// </summary>
    public static string? GetSporSearchId(this HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        return http.RequestServices.GetRequiredService<VisitorReader>().ReadSearchId(http.Request);
    }
}
