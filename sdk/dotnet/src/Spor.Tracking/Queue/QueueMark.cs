namespace Spor.Tracking;

/// <summary>A place in the order of all events a queue ever took: everything before it was appended earlier.</summary>
internal readonly struct QueueMark(long spooled, long inMemory)
{
    public long Spooled { get; } = spooled;

    public long InMemory { get; } = inMemory;
}
