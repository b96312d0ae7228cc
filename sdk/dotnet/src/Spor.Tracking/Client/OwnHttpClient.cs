#if NET
using System;
#endif
using System.Net.Http;
using System.Threading;

namespace Spor.Tracking;

/// <summary>The HTTP client of a tracking client that was not given one.</summary>
internal static class OwnHttpClient
{
    /// <summary>
    /// Follows no redirects, which could turn a POST into a GET or carry the key elsewhere, and renews its connections so that
    /// changes of DNS are seen.
    /// </summary>
    public static HttpMessageHandler CreateHandler()
    {
#if NET
        return new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        };
#else
        return new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false };
#endif
    }

    public static HttpClient Create() => new(CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
}
