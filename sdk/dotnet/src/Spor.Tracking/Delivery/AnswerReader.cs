using System;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>Reads the receiver's JSON. Whatever else is there is not an error, and leaves the answer without code and receipt.</summary>
internal static class AnswerReader
{
    public static void Read(ReadOnlyMemory<byte> body, Answer answer)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                return;
            }

            answer.Code = Text(root, "code");
            answer.Message = Text(root, "message");
            answer.ReceiptId = Text(root, "receiptId");
            if (root.TryGetProperty("rejected", out var rejected) && rejected.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in rejected.EnumerateArray())
                {
                    if (item.ValueKind == JsonValueKind.Object)
                    {
                        answer.Rejected.Add(ReadVerdict(item));
                    }
                }
            }
        }
        catch (JsonException)
        {
            // A proxy's page, or an answer cut short: see above.
            answer.Rejected.Clear();
        }
    }

    private static Answer.Verdict ReadVerdict(JsonElement item)
    {
        var code = Text(item, "code");
        var said = item.TryGetProperty("retryable", out var retryable) && retryable.ValueKind == JsonValueKind.True;
        var hasIndex = item.TryGetProperty("index", out var index) && index.ValueKind == JsonValueKind.Number;
        return new Answer.Verdict
        {
            Index = hasIndex && index.TryGetInt32(out var position) ? position : -1,
            Code = code,
            Path = Text(item, "path"),
            Message = Text(item, "message"),
            Retryable = said || RetryableCodes.Contains(code),
        };
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
