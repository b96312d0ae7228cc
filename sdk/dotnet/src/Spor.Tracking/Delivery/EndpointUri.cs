using System;

namespace Spor.Tracking;

/// <summary>The receiver's address from what the host configured.</summary>
internal static class EndpointUri
{
    private const string EventsPath = "/api/events";

    /// <summary>A base address gets the path of the contract; an address that has it already is taken as it is.</summary>
    public static Uri Resolve(Uri endpoint)
    {
        var path = endpoint.AbsolutePath.TrimEnd('/');
        if (!path.EndsWith(EventsPath, StringComparison.Ordinal))
        {
            path += EventsPath;
        }

        return new UriBuilder(endpoint) { Path = path }.Uri;
    }
}
