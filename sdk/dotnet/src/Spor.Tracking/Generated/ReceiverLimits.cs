// Written by tools/generate-models.ts from schemas/limits.ts. Do not edit.

namespace Spor.Tracking;

/// <summary>Published limits of the Event Receiver.</summary>
internal static class ReceiverLimits
{
    /// <summary>A request body, before and after decompression.</summary>
    public const int BodyBytes = 4194304;

    /// <summary>One event as compact JSON.</summary>
    public const int EventBytes = 4000000;

    /// <summary>Events in a batch.</summary>
    public const int BatchEvents = 1000;

    /// <summary>Depth of objects and lists within properties.</summary>
    public const int PropertiesDepth = 8;
}
