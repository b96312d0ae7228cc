using System;
using System.Diagnostics.Metrics;
using System.Net.Http;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>
/// What a <see cref="TrackingClient"/> uses of its host. All optional: without dependency injection the client brings its own
/// HTTP connections, logs nothing and reads the system's clock.
/// </summary>
public class TrackingClientServices
{
    /// <summary>
    /// Gives an HTTP client for a request; called for each one, so that <c>IHttpClientFactory</c> may renew its connections. The
    /// client is not disposed. Its own timeout should be infinite: <see cref="TrackingClientOptions.RequestTimeout"/> rules.
    /// </summary>
    public Func<HttpClient>? CreateHttpClient { get; set; }

    /// <summary>Where the client logs to, under the category <c>Spor.Tracking.TrackingClient</c>.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>Where the meter <c>Spor.Tracking</c> comes from.</summary>
    public IMeterFactory? MeterFactory { get; set; }

    /// <summary>The clock.</summary>
    public TimeProvider? TimeProvider { get; set; }

    /// <summary>Who is behind the current request.</summary>
    public IVisitorAccessor? VisitorAccessor { get; set; }

    /// <summary>Tag <c>spor.client</c> of the metrics where a process has several clients. Default empty: no tag.</summary>
    public string Name { get; set; } = "";

    /// <summary>Draws from 0 up to 1 for the spreading of retries.</summary>
    internal Func<double>? Random { get; set; }
}
