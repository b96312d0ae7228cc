using System;
using System.IO;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking;

/// <summary>The Event Receiver over HTTP (POST /api/events).</summary>
internal sealed class HttpReceiver(TrackingClientOptions options, Func<HttpClient> createClient, TimeProvider time) : IReceiver
{
    /// <summary>More than a thousand verdicts take; what is longer is not the receiver's.</summary>
    private const int MaxAnswerBytes = 1 << 20;

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private static readonly ProductInfoHeaderValue Product =
        new("Spor.Tracking", typeof(HttpReceiver).Assembly.GetName().Version?.ToString(3));

    private readonly Uri uri = EndpointUri.Resolve(options.Endpoint!);
    private readonly string key = options.InstrumentationKey;
    private readonly TimeSpan timeout = options.RequestTimeout;

    public async Task<Answer> PostAsync(byte[] body, bool compressed, CancellationToken cancellationToken)
    {
        using var expired = CreateTimeout();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expired.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = new ByteArrayContent(body) };
            request.Headers.TryAddWithoutValidation("X-Instrumentation-Key", key);
            request.Headers.UserAgent.Add(Product);
            request.Content.Headers.ContentType = Json;
            if (compressed)
            {
                request.Content.Headers.ContentEncoding.Add("gzip");
            }

            using var response = await createClient()
                .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token)
                .ConfigureAwait(false);
            return await ReadAsync(response, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return NoAnswer(new TimeoutException($"No answer within {timeout.TotalSeconds} s."));
        }
        catch (Exception error) when (error is HttpRequestException or IOException or InvalidOperationException or ObjectDisposedException)
        {
            return NoAnswer(error);
        }
    }

    private static Answer NoAnswer(Exception error) =>
        new() { Status = 0, Code = "no_answer", Message = error.InnerException?.Message ?? error.Message, Exception = error };

    private async Task<Answer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var answer = new Answer { Status = (int)response.StatusCode, RetryAfter = RetryAfter(response.Headers.RetryAfter) };
        try
        {
            var body = await ReadBodyAsync(response.Content, cancellationToken).ConfigureAwait(false);
            AnswerReader.Read(body, answer);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            // A status without its body is nobody's word: the events are sent again, and their ids make them count once.
            answer.Exception = error;
        }

        return answer;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContent content, CancellationToken cancellationToken)
    {
#if NET
        using var stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
#else
        using var stream = await content.ReadAsStreamAsync().ConfigureAwait(false);
#endif
        using var body = new MemoryStream();
        var buffer = new byte[8192];
        int read;
        while (body.Length < MaxAnswerBytes &&
            (read = await stream.ReadAsync(buffer, 0, buffer.Length, cancellationToken).ConfigureAwait(false)) > 0)
        {
            body.Write(buffer, 0, read);
        }

        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    private TimeSpan? RetryAfter(RetryConditionHeaderValue? header)
    {
        if (header is null)
        {
            return null;
        }

        return header.Delta ?? (header.Date is { } date ? date - time.GetUtcNow() : null);
    }

    private CancellationTokenSource CreateTimeout()
    {
#if NET
        return new CancellationTokenSource(timeout, time);
#else
        return time.CreateCancellationTokenSource(timeout);
#endif
    }
}
