using System;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Threading.Tasks;
using System.Xml.Linq;

namespace Spor.Tracking.PackageTests;

/// <summary>What <c>dotnet pack</c> makes, as a stranger gets it.</summary>
public sealed class PackageTests(Packages packages) : IClassFixture<Packages>
{
    private const string Program = """
        using System;
        using System.Net;
        using System.Threading.Tasks;
        using Spor.Tracking;

        var listener = new HttpListener();
        listener.Prefixes.Add(args[0]);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            var context = await listener.GetContextAsync();
            Console.WriteLine($"{context.Request.HttpMethod} {context.Request.Url!.AbsolutePath} {context.Request.Headers["X-Instrumentation-Key"]}");
            context.Response.StatusCode = 202;
            await context.Response.OutputStream.WriteAsync("{\"receiptId\":\"r-0-1-0\"}"u8.ToArray());
            context.Response.Close();
        });
        await using (var client = new TrackingClient(new TrackingClientOptions { Endpoint = new Uri(args[0]), InstrumentationKey = "ik_package" }))
        {
            client.Track(new OrderCreated("O-1", "DKK", 99.95m, [new OrderLine("SKU-1", 1, 99.95m) { SearchId = TrackingId.NewId() }]) { SessionId = "s" });
            Console.WriteLine($"flushed {await client.FlushAsync()}");
        }

        await serving;
        """;

    private const string OldLibrary = """
        using System;
        using System.Threading.Tasks;
        using Microsoft.Extensions.DependencyInjection;
        using Spor.Tracking;

        namespace OldShop
        {
            public static class Tracking
            {
                public static async Task<bool> Go(IServiceCollection services)
                {
                    services.AddSporTracking(options => options.Endpoint = new Uri("https://events.shop.example"));
                    using (var client = new TrackingClient(new TrackingClientOptions()))
                    {
                        client.Track(new Search("shoes", 3) { SearchId = TrackingId.NewId(), ResultIds = new[] { "SKU-1" } });
                        client.Track(new OrderCreated("O", "DKK", 1m, new[] { new OrderLine("SKU-1", 1, 1m) }) { Tax = 0.2m });
                        return await client.FlushAsync();
                    }
                }
            }
        }
        """;

    private const string WebProgram = """
        using Microsoft.AspNetCore.Builder;
        using Microsoft.Extensions.DependencyInjection;
        using Spor.Tracking;
        using Spor.Tracking.AspNetCore;

        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddSporTracking(builder.Configuration.GetSection("Spor")).AddSporVisitor();
        builder.Services.AddHealthChecks().AddSporTracking();
        var app = builder.Build();
        app.UseSporVisitor();
        app.MapPost("/order", (TrackingClient tracking) => tracking.Track(new OrderCreated("O", "DKK", 1m, [new OrderLine("SKU-1", 1, 1m)])));
        """;

    [Fact]
    public async Task A_fresh_console_project_sends_an_order()
    {
        var project = packages.CreateProject("console", "Microsoft.NET.Sdk", "<TargetFramework>net10.0</TargetFramework><OutputType>Exe</OutputType><Nullable>enable</Nullable>", "Spor.Tracking", Program);
        await Packages.DotnetAsync(project, "build", "-v", "q", "-o", "out");
        var output = await Packages.DotnetAsync(project, Path.Combine("out", "console.dll"), $"http://127.0.0.1:{Packages.FreePort()}/");
        Assert.Equal(["POST /api/events ik_package", "flushed True"], output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Trim()));
    }

    [Fact]
    public async Task An_old_library_on_netstandard_and_csharp_7_compiles()
    {
        var project = packages.CreateProject("old", "Microsoft.NET.Sdk", "<TargetFramework>netstandard2.0</TargetFramework><LangVersion>7.3</LangVersion>", "Spor.Tracking", OldLibrary);
        await Packages.DotnetAsync(project, "build", "-v", "q", "-o", "out");
    }

    [Fact]
    public async Task A_fresh_web_project_on_net_8_compiles()
    {
        var project = packages.CreateProject("web", "Microsoft.NET.Sdk.Web", "<TargetFramework>net8.0</TargetFramework><Nullable>enable</Nullable>", "Spor.Tracking.AspNetCore", WebProgram);
        await Packages.DotnetAsync(project, "build", "-v", "q", "-o", "out");
    }

    [Theory]
    [InlineData("Spor.Tracking", "net8.0", "netstandard2.0")]
    [InlineData("Spor.Tracking.AspNetCore", "net8.0")]
    public void Packages_hold_what_they_should(string id, params string[] frameworks)
    {
        using var package = ZipFile.OpenRead(packages.PathOf(id));
        var files = package.Entries.Select(entry => entry.FullName).ToList();
        Assert.Contains("README.md", files);
        foreach (var framework in frameworks)
        {
            Assert.Contains($"lib/{framework}/{id}.dll", files);
            Assert.Contains($"lib/{framework}/{id}.xml", files);
        }

        Assert.Equal(frameworks.Length, files.Count(file => file.EndsWith(".dll", StringComparison.Ordinal)));
        Assert.True(File.Exists(Path.ChangeExtension(packages.PathOf(id), ".snupkg")));
        using var nuspec = package.GetEntry($"{id}.nuspec")!.Open();
        var metadata = XDocument.Load(nuspec).Root!.Elements().Single();
        var space = metadata.Name.Namespace;
        Assert.Equal("Apache-2.0", metadata.Element(space + "license")!.Value);
        var dependencies = metadata.Descendants(space + "dependency").ToList();
        Assert.NotEmpty(dependencies);
        Assert.All(dependencies, dependency => Assert.DoesNotContain("Analyzers", dependency.Attribute("id")!.Value, StringComparison.Ordinal));
    }
}
