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
internal sealed class SpoolQueue : IEventQueue
{
    private readonly object gate = new();
    private readonly SpoolSettings settings;
    private readonly SpoolReports reports;
    private readonly SpoolWriter writer;
    private readonly SpoolOrphans orphans;
    private readonly SpoolFiles files;
    private readonly List<SpoolFile.Line> flight = [];
    private readonly MemoryStream buffer = new();
    private long nextSequence;

    public SpoolQueue(SpoolSettings settings, SpoolReports reports, TimeProvider time)
    {
        this.settings = settings;
        this.reports = reports;
        writer = new SpoolWriter(settings, reports, time);
        orphans = new SpoolOrphans(settings, reports);
        files = new SpoolFiles(writer, reports);
    }

    public int Count
    {
        get
        {
            lock (gate)
            {
                return files.CountEvents();
            }
        }
    }

    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return files.CountBytes();
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

    public int Unsaved => 0;

    public bool IsSettled(QueueMark mark)
    {
        lock (gate)
        {
            return files.IsSettled(mark.Spooled);
        }
    }

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

        // Outside of the lock: forcing to disk takes milliseconds, in which the sender goes on with what is there.
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
            while (!files.IsEmpty && batch.Count == 0)
            {
                if (files.Head.Count > 0)
                {
                    Read(files.Head, batch, maxEvents, maxBytes);
                }

                if (files.Head.Count == 0 && !files.RemoveHead())
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

            var head = files.Head;
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
                files.RemoveHead();
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
    public int RecoverOrphans()
    {
        var own = writer.EnsureFolder();
        var events = 0;
        if (!writer.IsExclusive)
        {
            return events;
        }

        foreach (var folder in orphans.FindFolders(own))
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
            files.Close();
        }

        buffer.Dispose();
    }

    private int TakeOver(SpoolFolder folder)
    {
        List<SpoolFile> recovered = [];
        if (!reports.Attempt(() => recovered = orphans.RecoverFiles(folder, nextSequence)))
        {
            folder.Dispose();
            return 0;
        }

        if (recovered.Count == 0)
        {
            reports.Attempt(folder.Remove);
            folder.Dispose();
            return 0;
        }

        var events = 0;
        recovered.ForEach(file => events += file.Count);
        lock (gate)
        {
            // Files lie in order of sequence: what is taken over comes after what this process has written so far.
            writer.Seal();
            files.Add(recovered);
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

    private void MakeRoom(long added)
    {
        while (files.CountBytes() + added > settings.MaxBytes)
        {
            var oldest = flight.Count > 0 ? 1 : 0;
            if (oldest >= files.FileCount)
            {
                return;
            }

            files.GiveUp(oldest);
        }
    }

    private void NotePosition(SpoolFile head) =>
        reports.Attempt(() => head.Folder.WritePosition(head.Number, head.Offset));
}
