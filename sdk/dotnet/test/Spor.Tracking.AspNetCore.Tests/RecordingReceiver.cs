using System.Collections.Concurrent;
using System.IO.Compression;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.AspNetCore.Tests;

/// <summary>Takes every event and keeps it.</summary>
internal sealed class RecordingReceiver : HttpMessageHandler
{
    public ConcurrentQueue<JsonObject> Events { get; } = [];

    public JsonObject Single(string type) => Events.Single(item => (string?)item["type"] == type);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var stream = await request.Content!.ReadAsStreamAsync(cancellationToken);
        await using var plain = request.Content.Headers.ContentEncoding.Count == 0 ? stream : new GZipStream(stream, CompressionMode.Decompress);
        foreach (var item in (await JsonNode.ParseAsync(plain, cancellationToken: cancellationToken))!["events"]!.AsArray())
        {
            Events.Enqueue(item!.AsObject());
        }

        return new HttpResponseMessage(HttpStatusCode.Accepted) { Content = new StringContent("""{"receiptId":"r-0-1-0"}""") };
    }
}
