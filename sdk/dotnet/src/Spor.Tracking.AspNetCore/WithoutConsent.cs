namespace Spor.Tracking.AspNetCore;

/// <summary>What becomes of events in a request whose visitor has not agreed to analytics.</summary>
public enum WithoutConsent
{
    /// <summary>They are dropped and counted with the reason <see cref="DropReason.NoConsent"/>.</summary>
    Drop,

    /// <summary>
    /// They are sent under a random session id made for this request alone, without visitor, customer or page: an order counts,
    /// and is linked to nobody.
    /// </summary>
    SendUnlinked,
}
