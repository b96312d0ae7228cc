namespace Spor.Tracking;

/// <summary>
/// Tells who is behind the current request. Asked on the caller's thread for every event, so it must be quick; the package
/// Spor.Tracking.AspNetCore brings one for ASP.NET Core.
/// </summary>
public interface IVisitorAccessor
{
    /// <summary>The visitor of the current request, or null outside of one.</summary>
    Visitor? Visitor { get; }
}
