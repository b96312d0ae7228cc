using System;
using System.IO;

namespace Spor.Tracking;

/// <summary>Appends to this process's own folder, a file after the other. Used by one thread.</summary>
internal sealed class SpoolWriter(SpoolSettings settings, SpoolReports reports, TimeProvider time) : IDisposable
{
    /// <summary>Small enough that giving up the oldest file of a full spool loses an eighth of it at most.</summary>
    private readonly long fileBytes = Math.Min(Math.Max(settings.MaxBytes / 8, 65536), 4 << 20);

    private FileStream? stream;
    private long lastNumber;

    /// <summary>This process's folder; null until something was written or adopted.</summary>
    public SpoolFolder? Folder { get; private set; }

    /// <summary>The file being appended to.</summary>
    public SpoolFile? Current { get; private set; }

    /// <summary>Whether the file system keeps other processes out of our folder, and so us out of theirs.</summary>
    public bool IsExclusive { get; private set; }

    /// <exception cref="IOException">It cannot be created there.</exception>
    public SpoolFolder EnsureFolder()
    {
        if (Folder is null)
        {
            Folder = SpoolFolder.Create(settings.Directory, settings.KeyId, time.GetUtcNow());
            lastNumber = 0;
            IsExclusive = Folder.IsExclusive();
            if (!IsExclusive)
            {
                reports.NotExclusive(settings.Directory);
            }
        }

        return Folder;
    }

    /// <summary>Whether so many bytes have to go to a new file.</summary>
    public bool NeedsNewFile(long bytes) =>
        Current is null || Current.IsLost || (Current.Length > 0 && Current.Length + bytes > fileBytes);

    /// <summary>Ends the current file and begins the next.</summary>
    /// <exception cref="IOException">It cannot be created.</exception>
    public SpoolFile BeginFile(long firstSequence)
    {
        Seal();
        var folder = EnsureFolder();
        try
        {
            var number = lastNumber + 1;
            stream = new FileStream(folder.FilePath(number), FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete, 1);
            lastNumber = number;
            return Current = new SpoolFile(folder, number, firstSequence);
        }
        catch (DirectoryNotFoundException)
        {
            // Someone removed it by hand: the next attempt makes a new one.
            folder.Dispose();
            Folder = null;
            throw;
        }
    }

    /// <summary>Writes whole lines and forces them to disk.</summary>
    /// <exception cref="IOException">They are not all there; what was half written is cut off again.</exception>
    public void Write(MemoryStream lines)
    {
        try
        {
            stream!.Write(lines.GetBuffer(), 0, (int)lines.Length);
            stream.Flush(flushToDisk: true);
        }
        catch
        {
            CutTornTail();
            throw;
        }
    }

    /// <summary>Ends the current file.</summary>
    public void Seal()
    {
        var sealedStream = stream;
        stream = null;
        Current = null;
        sealedStream?.Dispose();
    }

    public void Dispose() => Seal();

    /// <summary>A half line must not be joined by the next one.</summary>
    private void CutTornTail()
    {
        try
        {
            stream!.SetLength(Current!.Length);
            stream.Position = Current.Length;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            reports.Failed(error);
            Seal();
        }
    }
}
