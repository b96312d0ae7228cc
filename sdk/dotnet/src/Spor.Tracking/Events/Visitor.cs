namespace Spor.Tracking;

/// <summary>
/// Who is behind the current request. Fills in what an event leaves out; must not be changed once it is in use.
/// </summary>
public sealed class Visitor
{
    /// <summary>The visitor's first-party pseudonymous id.</summary>
    public string? AnonymousId { get; set; }

    /// <summary>The visit: ends after 30 minutes without activity.</summary>
    public string? SessionId { get; set; }

    /// <summary>The shop's own id of a signed-in customer.</summary>
    public string? UserId { get; set; }

    /// <summary>What the visitor has agreed to.</summary>
    public Consent? Consent { get; set; }

    /// <summary>Where in the shop it happened.</summary>
    public EventContext? Context { get; set; }

    /// <summary>
    /// Whether events of this visitor may be sent. False: they are dropped with the reason <see cref="DropReason.NoConsent"/>.
    /// </summary>
    public bool MayBeTracked { get; set; } = true;
}
