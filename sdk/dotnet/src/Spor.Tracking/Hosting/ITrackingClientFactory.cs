using System;

namespace Spor.Tracking;

/// <summary>Gives the clients of a process that tracks for several shops or segments.</summary>
public interface ITrackingClientFactory
{
    /// <summary>The client registered under the name; the same one every time. The factory disposes it.</summary>
    /// <param name="name">The name given to <c>AddSporTracking</c>; empty for the one without a name.</param>
    /// <exception cref="InvalidOperationException">No client was registered under the name.</exception>
    TrackingClient GetClient(string name);
}
