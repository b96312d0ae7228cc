namespace Spor.Tracking;

/// <summary>Why an event was given up.</summary>
public enum DropReason
{
    /// <summary>The receiver refused this event; it is kept in the receiver's quarantine.</summary>
    Rejected,

    /// <summary>The receiver refused the whole request the event was part of, in a way that sending again cannot mend.</summary>
    Refused,

    /// <summary>The event is over the receiver's size limit.</summary>
    TooLarge,

    /// <summary>The queue or the spool was full and the event was the oldest in it.</summary>
    Overflow,

    /// <summary>The event was tracked after the client was closed.</summary>
    Closed,

    /// <summary>The client was closed before the event could be sent, and there is no spool to keep it.</summary>
    Unsent,

    /// <summary>The event was sent <see cref="TrackingClientOptions.MaxRetries"/> times more, in vain.</summary>
    RetriesExhausted,

    /// <summary>The event could not be written as JSON.</summary>
    Invalid,

    /// <summary>The visitor has not agreed to analytics.</summary>
    NoConsent,

    /// <summary>The event cannot be read from the spool.</summary>
    Damaged,
}
