using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

[assembly: AssemblyFixture(typeof(Spor.Tracking.EndToEnd.SporServers))]

namespace Spor.Tracking.EndToEnd;

/// <summary>The real nats-server, ingest, processor and query server, started once for all tests as processes of their own.</summary>
public sealed class SporServers : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly HttpClient http = new();
    private readonly SemaphoreSlim asking = new(1);
    private readonly string folder = Directory.CreateTempSubdirectory("spor-e2e-").FullName;
    private Process? process;
    private Dictionary<string, string> environment = [];
    private int tenants;

    public Uri Ingest { get; private set; } = new("http://127.0.0.1:1");

    private Uri Query { get; set; } = new("http://127.0.0.1:1");

    public async ValueTask InitializeAsync()
    {
        if (Repository.Node is not { } node)
        {
            return;
        }

        var start = new ProcessStartInfo(node, [Repository.StackScript, folder])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = Repository.Root,
        };
        process = Process.Start(start)!;
        var ready = JsonNode.Parse(await ReadLineAsync())!;
        Ingest = new Uri((string)ready["ingestUrl"]!);
        Query = new Uri((string)ready["queryUrl"]!);
        environment = ready["env"]!.AsObject().ToDictionary(one => one.Key, one => (string)one.Value!);
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            process.StandardInput.Close();
            using var patience = new CancellationTokenSource(Patience);
            await process.WaitForExitAsync(patience.Token);
            process.Dispose();
        }

        http.Dispose();
        asking.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>A new tenant with a server key and a read token.</summary>
    public async Task<Tenant> CreateTenantAsync()
    {
        Assert.SkipUnless(process is not null, "The end-to-end tests need the repository's Node: run \"npm ci\" in its root.");
        var id = $"dotnet-{Interlocked.Increment(ref tenants)}";
        var key = await SporAsync("keys", "create", "--tenant", id, "--segment", "web", "--kind", "server", "--json");
        var token = await SporAsync("tokens", "create", "--tenant", id, "--json");
        return new Tenant(this, id, (string)key["key"]!, (string)token["token"]!);
    }

    /// <summary>The command line of the repository; its one line of JSON.</summary>
    public Task<JsonNode> SporAsync(params string[] arguments) => NodeAsync(environment, Repository.Spor, arguments);

    /// <summary>A program of the repository; its one line of JSON.</summary>
    public static Task<JsonNode> NodeAsync(string program, params string[] arguments) => NodeAsync([], program, arguments);

    /// <summary>The pid of a service at this moment.</summary>
    public async Task<int> PidAsync(string name)
    {
        await asking.WaitAsync();
        try
        {
            await process!.StandardInput.WriteLineAsync("processes");
            await process.StandardInput.FlushAsync();
            var processes = JsonNode.Parse(await ReadLineAsync())!.AsArray();
            return (int)processes.Single(one => (string)one!["name"]! == name)!["pid"]!;
        }
        finally
        {
            asking.Release();
        }
    }

    /// <summary>Ends a service with SIGKILL; the stack starts it again on the same port.</summary>
    public async Task KillAsync(string name)
    {
        using var service = Process.GetProcessById(await PidAsync(name));
        service.Kill();
    }

    internal async Task<JsonArray?> QueryAsync(string token, string sql)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Query, "/api/query")) { Content = JsonContent.Create(new { sql }) };
        request.Headers.Authorization = new("Bearer", token);
        using var response = await http.SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();
        if (response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests or HttpStatusCode.Unauthorized)
        {
            // Busy, or the token was made less than a second ago.
            return null;
        }

        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {body}\n{sql}");
        return JsonNode.Parse(body)!["rows"]!.AsArray();
    }

    private static async Task<JsonNode> NodeAsync(Dictionary<string, string> environment, string program, string[] arguments)
    {
        var start = new ProcessStartInfo(Repository.Node!, [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.Root,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var patience = new CancellationTokenSource(Patience);
        using var command = Process.Start(start)!;
        var error = command.StandardError.ReadToEndAsync(patience.Token);
        var output = await command.StandardOutput.ReadToEndAsync(patience.Token);
        await command.WaitForExitAsync(patience.Token);
        Assert.True(command.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {command.ExitCode}: {await error}{output}");
        return JsonNode.Parse(output)!;
    }

    private async Task<string> ReadLineAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        return await process!.StandardOutput.ReadLineAsync(patience.Token) ?? throw new InvalidOperationException("The stack has ended; its words are above.");
    }
}
