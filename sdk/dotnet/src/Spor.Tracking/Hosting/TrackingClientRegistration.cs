namespace Spor.Tracking;

/// <summary>Says that a client of this name was registered.</summary>
internal sealed class TrackingClientRegistration(string name)
{
    public string Name { get; } = name;
}
