using System.Collections.Generic;
using System.IO;

namespace Spor.Tracking;

/// <summary>The files of the spool that hold events, oldest first. Guarded by whoever owns it.</summary>
internal sealed class SpoolFiles(SpoolWriter writer, SpoolReports reports)
{
    private readonly List<SpoolFile> files = [];

    public bool IsEmpty => files.Count == 0;

    /// <summary>The oldest file, which is the one being sent.</summary>
    public SpoolFile Head => files[0];

    public int FileCount => files.Count;

    /// <summary>Events that are not settled.</summary>
    public int CountEvents()
    {
        var count = 0;
        files.ForEach(file => count += file.Count);
        return count;
    }

    /// <summary>Bytes of the lines that are not settled.</summary>
    public long CountBytes()
    {
        var bytes = 0L;
        files.ForEach(file => bytes += file.Length - file.Offset);
        return bytes;
    }

    /// <summary>Whether every event before a place in the order has left.</summary>
    public bool IsSettled(long sequence)
    {
        var oldest = files.Find(file => file.Count > 0);
        return oldest is null || oldest.Sequence >= sequence;
    }

    public void Add(SpoolFile file) => files.Add(file);

    public void Add(List<SpoolFile> more) => files.AddRange(more);

    /// <summary>Forgets the oldest file, which has nothing left to send. False: it is still appended to.</summary>
    public bool RemoveHead()
    {
        if (Head == writer.Current && !Head.IsLost)
        {
            return false;
        }

        Remove(0);
        return true;
    }

    /// <summary>Gives up a file and reports each of its events.</summary>
    public void GiveUp(int index)
    {
        var file = files[index];
        if (file == writer.Current)
        {
            writer.Seal();
        }

        var events = new List<QueuedEvent>();
        var lines = new List<SpoolFile.Line>();
        while (file.Count > 0)
        {
            events.Clear();
            lines.Clear();
            var damaged = file.Count;
            if (reports.Attempt(() => damaged = file.Read(events, lines, int.MaxValue, int.MaxValue)))
            {
                lines.ForEach(file.Settle);
            }
            else
            {
                file.Lose();
            }

            events.ForEach(reports.Overflow);
            if (damaged > 0)
            {
                reports.Damaged(file.Path, damaged);
            }
        }

        Remove(index);
    }

    /// <summary>Lets go of every folder, and removes those with nothing left to send.</summary>
    public void Close()
    {
        var folders = new HashSet<SpoolFolder>();
        files.ForEach(file => folders.Add(file.Folder));
        if (writer.Folder is { } own)
        {
            folders.Add(own);
        }

        foreach (var folder in folders)
        {
            if (files.TrueForAll(file => file.Folder != folder || file.Count == 0))
            {
                reports.Attempt(folder.Remove);
            }

            folder.Dispose();
        }

        files.Clear();
    }

    private void Remove(int index)
    {
        var file = files[index];
        files.RemoveAt(index);
        reports.Attempt(() => File.Delete(file.Path));
        if (file.Folder != writer.Folder && files.TrueForAll(other => other.Folder != file.Folder))
        {
            reports.Attempt(file.Folder.Remove);
            file.Folder.Dispose();
        }
    }
}
