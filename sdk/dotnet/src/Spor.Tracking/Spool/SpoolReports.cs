using System;
using System.IO;

namespace Spor.Tracking;

/// <summary>What the spool has to say; none of it stops the client.</summary>
internal sealed class SpoolReports
{
    /// <summary>An event gave way because the spool was full.</summary>
    public Action<QueuedEvent> Overflow { get; set; } = static _ => { };

    /// <summary>So many events of a file cannot be read.</summary>
    public Action<string, int> Damaged { get; set; } = static (_, _) => { };

    /// <summary>So many events of a process that has ended were taken over.</summary>
    public Action<string, int> Adopted { get; set; } = static (_, _) => { };

    /// <summary>A folder was left alone because it holds the events of another key.</summary>
    public Action<string, string> OtherKey { get; set; } = static (_, _) => { };

    /// <summary>The file system does not keep two processes apart, so that nothing is taken over.</summary>
    public Action<string> NotExclusive { get; set; } = static _ => { };

    /// <summary>A deletion or a position could not be written.</summary>
    public Action<Exception> Failed { get; set; } = static _ => { };

    /// <summary>
    /// Runs what may fail without harm: a file or a position that stays as it was only means that some ids are sent twice.
    /// </summary>
    public bool Attempt(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Failed(error);
            return false;
        }
    }
}
