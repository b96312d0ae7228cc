using System;

namespace Spor.Tracking;

/// <summary>Ids that a shop's backend gives to what it shows.</summary>
public static class TrackingId
{
    /// <summary>
    /// A new time-ordered id (UUID version 7) as text, for <see cref="Search.SearchId"/> and the like: give it to the search, then
    /// to the clicks, cart adds and order lines it led to.
    /// </summary>
    public static string NewId() => UuidV7.Create(DateTimeOffset.UtcNow).ToString("D");
}
