using System;
using System.Collections.Generic;
using System.IO;

namespace Spor.Tracking;

/// <summary>
/// The queue on disk. Each process appends to a folder of its own and adopts the folders of processes that have ended, so
/// that any number of them may share a spool directory. Bounded: when full, the oldest file that is not in flight goes.
/// </summary>
/// <remarks>
/// An event is on disk (written and forced) when <see cref="Append"/> returns. It leaves by moving a position over it; a file
/// is deleted once the position has passed its end.
/// </remarks>
internal sealed class SpoolQueue(SpoolSettings settings, SpoolReports reports, TimeProvider time) : IEventQueue
{
    private readonly object gate = new();
    private readonly SpoolWriter writer = new(settings, reports, time);
    private readonly SpoolAdoption adoption = new(settings, reports);
    private readonly List<SpoolFile> files = [];
    private readonly List<SpoolFile.Line> flight = [];
    private readonly MemoryStream buffer = new();
    private long nextSequence;

    public int Count
    {
        get
        {
            lock (gate)
            {
                var count = 0;
                files.ForEach(file => count += file.Count);
                return count;
            }
        }
    }

    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return UnsettledBytes();
            }
        }
    }

    public QueueMark End
    {
        get
        {
            lock (gate)
            {
                return new QueueMark(nextSequence, 0);
            }
        }
    }

    public bool IsSettled(QueueMark mark)
    {
        lock (gate)
        {
            var oldest = files.Find(file => file.Count > 0);
            return oldest is null || oldest.Sequence >= mark.Spooled;
        }
    }

    public int Unsaved => 0;

    /// <exception cref="IOException">Nothing of the events is on disk.</exception>
    public void Append(List<QueuedEvent> events)
    {
        buffer.SetLength(0);
        events.ForEach(queued => SpoolLine.Write(buffer, queued.Json));
        lock (gate)
        {
            MakeRoom(buffer.Length);
            if (writer.NeedsNewFile(buffer.Length))
            {
                files.Add(writer.BeginFile(nextSequence));
            }
        }

        writer.Write(buffer);
        lock (gate)
        {
            var file = writer.Current!;
            if (file.IsLost)
            {
                throw new IOException($"{file.Path} was removed while it was written to.");
            }

            file.Appended(events.Count, buffer.Length);
            nextSequence += events.Count;
        }
    }

    public void Peek(List<QueuedEvent> batch, int maxEvents, int maxBytes)
    {
        lock (gate)
        {
            flight.Clear();
            while (files.Count > 0 && batch.Count == 0)
            {
                var head = files[0];
                if (head.Count > 0)
                {
                    Read(head, batch, maxEvents, maxBytes);
                }

                if (head.Count == 0 && !RemoveHead())
                {
                    return;
                }
            }
        }
    }

    public void Settle(List<int>? keep)
    {
        lock (gate)
        {
            if (flight.Count == 0)
            {
                return;
            }

            var head = files[0];
            for (var i = 0; i < flight.Count; i++)
            {
                if (keep is null || !keep.Contains(i))
                {
                    head.Settle(flight[i]);
                }
            }

            flight.Clear();
            NotePosition(head);
            if (head.Count == 0)
            {
                RemoveHead();
            }
        }
    }

    public void Release()
    {
        lock (gate)
        {
            flight.Clear();
        }
    }

    public List<QueuedEvent> TakeUnsaved() => [];

    /// <summary>
    /// Takes over the folders of processes that have ended. Called by the thread that appends, at start and now and then.
    /// </summary>
    /// <returns>Events taken over.</returns>
    /// <exception cref="IOException">The spool directory cannot be used.</exception>
    public int Adopt()
    {
        var own = writer.EnsureFolder();
        var events = 0;
        if (!writer.IsExclusive)
        {
            return events;
        }

        foreach (var folder in adoption.FindFolders(own))
        {
            events += TakeOver(folder);
        }

        lock (gate)
        {
            MakeRoom(0);
        }

        return events;
    }

    public void Dispose()
    {
        lock (gate)
        {
            writer.Dispose();
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
                    Attempt(folder.Remove);
                }

                folder.Dispose();
            }

            files.Clear();
        }

        buffer.Dispose();
    }

    private long UnsettledBytes()
    {
        var bytes = 0L;
        files.ForEach(file => bytes += file.Length - file.Offset);
        return bytes;
    }

    private int TakeOver(SpoolFolder folder)
    {
        List<SpoolFile> recovered = [];
        if (!Attempt(() => recovered = adoption.RecoverFiles(folder, nextSequence)))
        {
            folder.Dispose();
            return 0;
        }

        if (recovered.Count == 0)
        {
            Attempt(folder.Remove);
            folder.Dispose();
            return 0;
        }

        var events = 0;
        recovered.ForEach(file => events += file.Count);
        lock (gate)
        {
            // Files lie in order of sequence: what is taken over comes after what this process has written so far.
            writer.Seal();
            files.AddRange(recovered);
            nextSequence += events;
        }

        reports.Adopted(folder.Path, events);
        return events;
    }

    private void Read(SpoolFile head, List<QueuedEvent> batch, int maxEvents, int maxBytes)
    {
        try
        {
            var damaged = head.Read(batch, flight, maxEvents, maxBytes);
            if (damaged > 0)
            {
                reports.Damaged(head.Path, damaged);
                NotePosition(head);
            }
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            // Someone cleared the folder by hand.
            reports.Damaged(head.Path, head.Count);
            head.Lose();
        }
    }

    /// <summary>Forgets the oldest file, which has nothing left to send, unless it is still appended to.</summary>
    private bool RemoveHead()
    {
        if (files[0] == writer.Current && !files[0].IsLost)
        {
            return false;
        }

        Remove(0);
        return true;
    }

    private void Remove(int index)
    {
        var file = files[index];
        files.RemoveAt(index);
        Attempt(() => File.Delete(file.Path));
        if (file.Folder != writer.Folder && files.TrueForAll(other => other.Folder != file.Folder))
        {
            Attempt(file.Folder.Remove);
            file.Folder.Dispose();
        }
    }

    private void MakeRoom(long added)
    {
        while (UnsettledBytes() + added > settings.MaxBytes)
        {
            var oldest = flight.Count > 0 ? 1 : 0;
            if (oldest >= files.Count)
            {
                return;
            }

            if (files[oldest] == writer.Current)
            {
                writer.Seal();
            }

            GiveUp(files[oldest]);
            Remove(oldest);
        }
    }

    private void GiveUp(SpoolFile file)
    {
        var events = new List<QueuedEvent>();
        var lines = new List<SpoolFile.Line>();
        while (file.Count > 0)
        {
            events.Clear();
            lines.Clear();
            var damaged = file.Count;
            if (Attempt(() => damaged = file.Read(events, lines, int.MaxValue, int.MaxValue)))
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
    }

    private void NotePosition(SpoolFile head) => Attempt(() => head.Folder.WritePosition(head.Number, head.Offset));

    /// <summary>Runs what may fail without harm: a file or position that stays only means that ids are sent twice.</summary>
    private bool Attempt(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            reports.Failed(error);
            return false;
        }
    }
}
