using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.Tests.Support;

/// <summary>What is to be answered to a request.</summary>
internal sealed record ScriptedAnswer(int Status, string Body = "", TimeSpan Delay = default)
{
    public Dictionary<string, string> Headers { get; init; } = [];

    /// <summary>Builds the body once the request is known.</summary>
    public Func<ReceivedRequest, string>? BodyFor { get; init; }

    /// <summary>No answer at all: the connection breaks.</summary>
    public static ScriptedAnswer NetworkError { get; } = new(0);

    public static ScriptedAnswer Accepted { get; } = new(202, """{"receiptId":"r-0-1-0","accepted":1,"rejected":[]}""");

    public static ScriptedAnswer Error(int status, string code) => new(status, $$"""{"code":"{{code}}","message":"{{code}}."}""");
}

/// <summary>A request as the receiver saw it.</summary>
internal sealed record ReceivedRequest(TimeSpan At, Uri Uri, string? Key, string? Encoding, string? UserAgent, int BodyBytes, JsonObject Body)
{
    public List<JsonObject> Events { get; } = [.. Body["events"]!.AsArray().Select(item => item!.AsObject())];

    /// <summary>The names the tests gave to the events.</summary>
    public List<string> Names => [.. Events.Select(item => (string)item["properties"]!["name"]!)];
}

/// <summary>
/// An HTTP edge that records requests and answers them from a script, each after its delay on the virtual clock.
/// </summary>
internal sealed class ScriptedReceiver(VirtualTime time, IEnumerable<ScriptedAnswer> answers) : HttpMessageHandler
{
    private readonly Lock gate = new();
    private readonly Queue<ScriptedAnswer> script = new(answers);
    private Pending? pending;

    public List<ReceivedRequest> Requests { get; } = [];

    /// <summary>Requests for which the script had no answer.</summary>
    public int Unexpected { get; private set; }

    /// <summary>Whether a request waits for its answer.</summary>
    public bool IsAsked
    {
        get
        {
            lock (gate)
            {
                return pending is not null;
            }
        }
    }

    /// <summary>When the waiting request is to be answered.</summary>
    public TimeSpan? AnswerDue
    {
        get
        {
            lock (gate)
            {
                return pending?.Due;
            }
        }
    }

    /// <summary>Answers the waiting request if its time has come.</summary>
    public bool AnswerIfDue()
    {
        Pending? due;
        lock (gate)
        {
            if (pending is null || pending.Due > time.Now)
            {
                return false;
            }

            (due, pending) = (pending, null);
        }

        due.Complete();
        return true;
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var bytes = await request.Content!.ReadAsByteArrayAsync(CancellationToken.None);
        var encoding = request.Content.Headers.ContentEncoding.SingleOrDefault();
        var json = encoding == "gzip" ? Unzip(bytes) : Encoding.UTF8.GetString(bytes);
        var received = new ReceivedRequest(
            time.Now,
            request.RequestUri!,
            request.Headers.TryGetValues("X-Instrumentation-Key", out var keys) ? keys.Single() : null,
            encoding,
            request.Headers.UserAgent.ToString(),
            Encoding.UTF8.GetByteCount(json),
            JsonNode.Parse(json)!.AsObject());
        var waiting = new Pending();
        lock (gate)
        {
            Requests.Add(received);
            if (script.Count == 0)
            {
                Unexpected++;
            }

            var answer = script.Count > 0 ? script.Dequeue() : ScriptedAnswer.NetworkError;
            waiting.Answer = answer with { Body = answer.BodyFor?.Invoke(received) ?? answer.Body };
            waiting.Due = time.Now + answer.Delay;
            pending = waiting;
        }

        using var cancelled = cancellationToken.Register(() =>
        {
            lock (gate)
            {
                pending = null;
            }

            waiting.Cancel(cancellationToken);
        });
        return await waiting.Task;
    }

    private static string Unzip(byte[] bytes)
    {
        using var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var reader = new StreamReader(gzip, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private sealed class Pending
    {
        private readonly TaskCompletionSource<HttpResponseMessage> source = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ScriptedAnswer Answer { get; set; } = ScriptedAnswer.NetworkError;

        public TimeSpan Due { get; set; }

        public Task<HttpResponseMessage> Task => source.Task;

        public void Cancel(CancellationToken token) => source.TrySetCanceled(token);

        public void Complete()
        {
            if (Answer.Status == 0)
            {
                source.TrySetException(new HttpRequestException("Connection refused"));
                return;
            }

            var response = new HttpResponseMessage((HttpStatusCode)Answer.Status) { Content = new StringContent(Answer.Body) };
            foreach (var (name, value) in Answer.Headers)
            {
                response.Headers.TryAddWithoutValidation(name, value);
            }

            source.TrySetResult(response);
        }
    }
}
