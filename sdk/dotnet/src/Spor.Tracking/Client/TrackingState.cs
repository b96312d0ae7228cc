namespace Spor.Tracking;

/// <summary>What the client is doing with its events.</summary>
public enum TrackingState
{
    /// <summary>The last request succeeded, or there was none yet.</summary>
    Sending,

    /// <summary>The last request failed; the events wait and will be sent again.</summary>
    Waiting,

    /// <summary>The receiver does not accept the key (401 or 403): nothing is sent any more, events are kept within bounds.</summary>
    Stopped,

    /// <summary>The client was closed.</summary>
    Closed,
}
