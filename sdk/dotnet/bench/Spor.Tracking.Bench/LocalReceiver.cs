using System;
using System.IO.Compression;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking.Bench;

/// <summary>Counts the events it is sent.</summary>
internal sealed class LocalReceiver : IAsyncDisposable
{
    private readonly WebApplication app;
    private long count;

    private LocalReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.MapPost("/api/events", TakeAsync);
    }

    public long Count => Interlocked.Read(ref count);

    public Uri Endpoint => new(app.Urls.Single());

    public static async Task<LocalReceiver> StartAsync()
    {
        var receiver = new LocalReceiver();
        await receiver.app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task TakeAsync(HttpContext http)
    {
        await using var body = http.Request.Headers.ContentEncoding == "gzip" ? new GZipStream(http.Request.Body, CompressionMode.Decompress) : http.Request.Body;
        using var batch = await JsonDocument.ParseAsync(body);
        Interlocked.Add(ref count, batch.RootElement.GetProperty("events").GetArrayLength());
        http.Response.StatusCode = StatusCodes.Status202Accepted;
        await http.Response.WriteAsync("""{"receiptId":"r","accepted":1,"rejected":[]}""");
    }
}
