using System;
using System.IO;

namespace Spor.Tracking.Tests.Support;

/// <summary>An empty folder that goes with the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("spor-test-").FullName;

    /// <summary>Every file with events below it.</summary>
    public string[] EventFiles() => Directory.GetFiles(Path, "*.log", SearchOption.AllDirectories);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
