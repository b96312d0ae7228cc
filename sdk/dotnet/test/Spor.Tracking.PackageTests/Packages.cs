using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;

namespace Spor.Tracking.PackageTests;

/// <summary>
/// The packages, from the folder that ci.sh names in SPOR_PACKAGES or else packed here, and fresh projects that use them. Nothing
/// is left in the user's package folder.
/// </summary>
public sealed class Packages : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("spor-packages-").FullName;
    private string feed = "";
    private string version = "";

    public async ValueTask InitializeAsync()
    {
        feed = Environment.GetEnvironmentVariable("SPOR_PACKAGES") ?? "";
        if (feed.Length == 0)
        {
            feed = Path.Combine(folder, "feed");
            foreach (var id in (string[])["Spor.Tracking", "Spor.Tracking.AspNetCore"])
            {
                await DotnetAsync(Path.Combine(Root(), "src", id), "pack", "-c", "Release", "-v", "q", "-o", feed);
            }
        }

        version = Path.GetFileNameWithoutExtension(PathOf("Spor.Tracking"))["Spor.Tracking.".Length..];
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    public string PathOf(string id) =>
        Directory.GetFiles(feed, $"{id}.*.nupkg").Single(file => char.IsDigit(Path.GetFileName(file)[id.Length + 1]));

    /// <summary>A project outside the repository, so that none of its settings apply.</summary>
    public string CreateProject(string name, string sdk, string properties, string package, string program)
    {
        var project = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        var known = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(
            Path.Combine(project, $"{name}.csproj"),
            $"""
            <Project Sdk="{sdk}">
              <PropertyGroup>
                {properties}
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <RestorePackagesPath>{Path.Combine(folder, "restored")}</RestorePackagesPath>
                <RestoreFallbackFolders>{known}</RestoreFallbackFolders>
                <RestoreAdditionalProjectSources>{feed}</RestoreAdditionalProjectSources>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="{package}" Version="[{version}]" />
              </ItemGroup>
            </Project>
            """);
        File.WriteAllText(Path.Combine(project, "Program.cs"), program);
        return project;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Runs dotnet in a folder and gives what it wrote; fails with it where it failed.</summary>
    public static async Task<string> DotnetAsync(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)} in {folder}:\n{output}{await error}");
        return output;
    }

    private static string Root([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "../.."));
}
