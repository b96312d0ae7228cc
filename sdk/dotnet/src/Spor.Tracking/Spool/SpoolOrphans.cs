using System.Collections.Generic;
using System.IO;

namespace Spor.Tracking;

/// <summary>Finds the folders of processes that have ended and takes them over.</summary>
internal sealed class SpoolOrphans(SpoolSettings settings, SpoolReports reports)
{
    private readonly HashSet<string> toldForeign = [];

    /// <summary>Every folder nobody holds any more, except our own and those of other keys.</summary>
    public IEnumerable<SpoolFolder> FindFolders(SpoolFolder own)
    {
        foreach (var pair in SpoolFolder.List(settings.Directory))
        {
            var (keyId, path) = (pair.Key, pair.Value);
            if (path == own.Path)
            {
                continue;
            }

            if (keyId != settings.KeyId && !settings.AcceptAnyKey)
            {
                if (toldForeign.Add(path))
                {
                    reports.OtherKey(path, keyId);
                }

                continue;
            }

            if (SpoolFolder.TryAdopt(path) is { } folder)
            {
                yield return folder;
            }
        }
    }

    /// <summary>The files of a folder that hold events which are not settled; the others are deleted.</summary>
    public List<SpoolFile> RecoverFiles(SpoolFolder folder, long firstSequence)
    {
        var files = new List<SpoolFile>();
        var position = folder.ReadPosition();
        var sequence = firstSequence;
        foreach (var number in folder.FileNumbers())
        {
            var file = new SpoolFile(folder, number, sequence);
            var torn = number < position.Number ? 0 : file.Recover(number == position.Number ? position.Offset : 0);
            if (torn > 0)
            {
                // The process ended while it wrote this line: the event was never reported as saved.
                reports.Damaged(file.Path, 1);
            }

            if (file.Count == 0)
            {
                File.Delete(file.Path);
                continue;
            }

            files.Add(file);
            sequence += file.Count;
        }

        return files;
    }
}
