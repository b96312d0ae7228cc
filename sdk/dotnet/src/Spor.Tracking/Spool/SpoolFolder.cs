using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace Spor.Tracking;

/// <summary>
/// The folder one process writes its events to: <c>&lt;key id&gt;-&lt;UUID v7&gt;/</c> with numbered files, and beside it a lock
/// file that is held open exclusively as long as the process lives. The operating system lets go of it when the process ends
/// in whatever way, and then another process may adopt the folder.
/// </summary>
/// <remarks>
/// The lock is taken before the folder exists and given up after the folder is gone, so that an existing folder without a
/// holder always is one that a dead process left behind.
/// </remarks>
internal sealed class SpoolFolder : IDisposable
{
    private const string FileSuffix = ".log";
    private const int PositionBytes = 40;

    private readonly FileStream heldLock;
    private FileStream? position;

    private SpoolFolder(string path, FileStream heldLock)
    {
        Path = path;
        this.heldLock = heldLock;
    }

    public string Path { get; }

    /// <summary>A new folder of this process.</summary>
    /// <exception cref="IOException">It cannot be created there.</exception>
    public static SpoolFolder Create(string root, string keyId, DateTimeOffset now)
    {
        Directory.CreateDirectory(root);
        var path = System.IO.Path.Combine(root, $"{keyId}-{UuidV7.Create(now):N}");
        var folder = new SpoolFolder(path, OpenLock(path));
        try
        {
            CreatePrivate(path);
        }
        catch
        {
            folder.Dispose();
            throw;
        }

        return folder;
    }

    /// <summary>Folders below the root, oldest first, as key id and path.</summary>
    public static List<KeyValuePair<string, string>> List(string root)
    {
        const int KeyIdLength = 16;
        const int NameLength = KeyIdLength + 1 + 32;
        if (!Directory.Exists(root))
        {
            return [];
        }

        return Directory.GetDirectories(root)
            .Select(path => new { path, name = System.IO.Path.GetFileName(path) })
            .Where(folder => folder.name.Length == NameLength && folder.name[KeyIdLength] == '-')
            .OrderBy(folder => folder.name.Substring(KeyIdLength), StringComparer.Ordinal)
            .Select(folder => new KeyValuePair<string, string>(folder.name.Substring(0, KeyIdLength), folder.path))
            .ToList();
    }

    /// <summary>The folder, now held by this process; null where another one holds it.</summary>
    public static SpoolFolder? TryAdopt(string path)
    {
        FileStream heldLock;
        try
        {
            heldLock = OpenLock(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        if (Directory.Exists(path))
        {
            return new SpoolFolder(path, heldLock);
        }

        heldLock.Dispose();
        return null;
    }

    /// <summary>Whether the file system keeps a second holder out. Without that, what others left is not touched.</summary>
    public bool IsExclusive()
    {
        try
        {
            // Not through OpenLock: closing that one would delete the file.
            using var second = new FileStream(heldLock.Name, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    public string FilePath(long number) =>
        System.IO.Path.Combine(Path, number.ToString("D10", CultureInfo.InvariantCulture) + FileSuffix);

    /// <summary>Numbers of the event files, ascending.</summary>
    public List<long> FileNumbers() => Directory.GetFiles(Path, "*" + FileSuffix)
        .Select(file => System.IO.Path.GetFileNameWithoutExtension(file))
        .Where(name => name.Length > 0 && name.All(char.IsDigit))
        .Select(name => long.Parse(name, CultureInfo.InvariantCulture))
        .OrderBy(number => number)
        .ToList();

    /// <summary>How far the events were settled: file number and offset; zeros where nothing readable says so.</summary>
    public (long Number, long Offset) ReadPosition()
    {
        try
        {
            var parts = File.ReadAllText(PositionPath, Encoding.ASCII).TrimEnd('\n').Split(' ');
            var text = parts.Length == 3 ? $"{parts[0]} {parts[1]}" : "";
            var valid = text.Length > 0 && parts[2] == Checksum(text);
            return valid
                ? (long.Parse(parts[0], CultureInfo.InvariantCulture), long.Parse(parts[1], CultureInfo.InvariantCulture))
                : (0, 0);
        }
        catch (FileNotFoundException)
        {
            return (0, 0);
        }
    }

    /// <summary>
    /// Notes how far the events are settled. Not forced to disk: after a power failure some are sent again, under the same ids.
    /// </summary>
    public void WritePosition(long number, long offset)
    {
        position ??= new FileStream(PositionPath, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, PositionBytes);
        var text = $"{number.ToString("D10", CultureInfo.InvariantCulture)} {offset.ToString("D19", CultureInfo.InvariantCulture)}";
        var bytes = Encoding.ASCII.GetBytes($"{text} {Checksum(text)}\n");
        position.Position = 0;
        position.Write(bytes, 0, bytes.Length);
        position.Flush();
    }

    /// <summary>Deletes the folder and lets go of it.</summary>
    public void Remove()
    {
        position?.Dispose();
        position = null;
        Directory.Delete(Path, recursive: true);
        Dispose();
    }

    /// <summary>Lets go of the folder; its files stay for another process.</summary>
    public void Dispose()
    {
        position?.Dispose();
        position = null;
        heldLock.Dispose();
    }

    /// <summary>Events are about people: the folder is for this user only, where the system knows such a thing.</summary>
    private static void CreatePrivate(string path)
    {
#if NET
        if (!OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return;
        }
#endif
        Directory.CreateDirectory(path);
    }

    private string PositionPath => System.IO.Path.Combine(Path, "position");

    private static FileStream OpenLock(string path) =>
        new(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);

    private static string Checksum(string text) =>
        Crc32.Compute(Encoding.ASCII.GetBytes(text)).ToString("x8", CultureInfo.InvariantCulture);
}
