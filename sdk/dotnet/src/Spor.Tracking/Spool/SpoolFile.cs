using System;
using System.Collections.Generic;
using System.IO;

namespace Spor.Tracking;

/// <summary>One file of events in the order they were tracked, and what of it still has to be sent.</summary>
internal sealed class SpoolFile(SpoolFolder folder, long number, long firstSequence)
{
    // Lines settled before an earlier one was: start and end. Few, since only single verdicts ask for a resend.
    private readonly Dictionary<long, long> settledAhead = [];

    public SpoolFolder Folder { get; } = folder;

    public long Number { get; } = number;

    public string Path { get; } = folder.FilePath(number);

    /// <summary>Where the first event lies that is not settled.</summary>
    public long Offset { get; private set; }

    /// <summary>End of the last whole line.</summary>
    public long Length { get; private set; }

    /// <summary>Events not settled.</summary>
    public int Count { get; private set; }

    /// <summary>Place of the first event that is not settled in the order of all events.</summary>
    public long Sequence { get; private set; } = firstSequence;

    /// <summary>Whether the file has gone from under us.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Gives up what the file held.</summary>
    public void Lose()
    {
        IsLost = true;
        Count = 0;
        Offset = Length;
    }

    public void Appended(int events, long bytes)
    {
        Count += events;
        Length += bytes;
    }

    /// <summary>Takes over what another process left: finds the whole lines. Gives the bytes of a torn last line.</summary>
    public long Recover(long offset)
    {
        using var file = Open();
        Offset = Math.Min(offset, file.Length);
        Length = Offset;
        file.Position = Offset;
        var buffer = new byte[65536];
        var at = Offset;
        int read;
        while ((read = file.Read(buffer, 0, buffer.Length)) > 0)
        {
            for (var i = 0; i < read; i++)
            {
                if (buffer[i] == '\n')
                {
                    Count++;
                    Length = at + i + 1;
                }
            }

            at += read;
        }

        return at - Length;
    }

    /// <summary>
    /// Reads events that are not settled, oldest first, and where their lines lie. A damaged line at the front is settled and
    /// counted; one further on ends the reading.
    /// </summary>
    /// <returns>Damaged lines found at the front.</returns>
    public int Read(List<QueuedEvent> events, List<Line> lines, int maxEvents, int maxBytes)
    {
        var damaged = 0;
        var size = 0L;
        var at = Offset;
        using var file = Open();
        var reader = new LineReader(file, at, Length);
        while (events.Count < maxEvents && reader.TryNext(out var line, out var bytes))
        {
            at = line.End;
            if (settledAhead.ContainsKey(line.Start))
            {
                continue;
            }

            if (!SpoolLine.TryRead(bytes, out var queued))
            {
                if (events.Count > 0)
                {
                    break;
                }

                Settle(line);
                damaged++;
                continue;
            }

            size += queued.Json.Length + (events.Count > 0 ? 1 : 0);
            if (events.Count > 0 && size > maxBytes)
            {
                break;
            }

            events.Add(queued);
            lines.Add(line);
        }

        return damaged;
    }

    public void Settle(Line line)
    {
        Count--;
        settledAhead[line.Start] = line.End;
        while (settledAhead.TryGetValue(Offset, out var end))
        {
            settledAhead.Remove(Offset);
            Offset = end;
            Sequence++;
        }
    }

    private FileStream Open() => new(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 65536);

    /// <summary>Where a line lies in its file, line feed included.</summary>
    internal readonly struct Line(long start, long end)
    {
        public long Start { get; } = start;

        public long End { get; } = end;
    }

    private sealed class LineReader(FileStream file, long start, long end)
    {
        private byte[] buffer = new byte[65536];
        private int from;
        private int to;
        private long at = start;

        public bool TryNext(out Line line, out ReadOnlySpan<byte> bytes)
        {
            while (true)
            {
                var newline = Array.IndexOf(buffer, (byte)'\n', from, to - from);
                if (newline >= 0)
                {
                    bytes = buffer.AsSpan(from, newline - from);
                    line = new Line(at, at + bytes.Length + 1);
                    from = newline + 1;
                    at = line.End;
                    return at <= end;
                }

                if (!Fill())
                {
                    line = default;
                    bytes = default;
                    return false;
                }
            }
        }

        private bool Fill()
        {
            Buffer.BlockCopy(buffer, from, buffer, 0, to - from);
            to -= from;
            from = 0;
            if (to == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }

            file.Position = at + to;
            var read = file.Read(buffer, to, buffer.Length - to);
            to += read;
            return read > 0;
        }
    }
}
