namespace Spor.Tracking;

/// <summary>Where a client keeps its events and how much of them.</summary>
internal sealed class SpoolSettings(string directory, long maxBytes, string keyId, bool acceptAnyKey)
{
    public string Directory { get; } = directory;

    public long MaxBytes { get; } = maxBytes;

    /// <summary>First 16 hex digits of the SHA-256 of the instrumentation key, as the receiver's logs and rows name it.</summary>
    public string KeyId { get; } = keyId;

    public bool AcceptAnyKey { get; } = acceptAnyKey;
}
