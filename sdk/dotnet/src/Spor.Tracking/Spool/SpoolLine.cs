using System;
using System.Buffers.Text;
using System.IO;
using System.Text;

namespace Spor.Tracking;

/// <summary>
/// One event in a spool file: <c>&lt;CRC-32 of the JSON, 8 hex digits&gt; &lt;JSON&gt;\n</c>. Compact JSON has no line feed of
/// its own, so that after a damaged line reading goes on at the next one.
/// </summary>
internal static class SpoolLine
{
    private const int PrefixBytes = 9;

    /// <summary>Length of the line that holds so many bytes of JSON.</summary>
    public static int Length(int jsonBytes) => PrefixBytes + jsonBytes + 1;

    public static void Write(MemoryStream stream, byte[] json)
    {
        var prefix = Encoding.ASCII.GetBytes(Crc32.Compute(json).ToString("x8", System.Globalization.CultureInfo.InvariantCulture));
        stream.Write(prefix, 0, prefix.Length);
        stream.WriteByte((byte)' ');
        stream.Write(json, 0, json.Length);
        stream.WriteByte((byte)'\n');
    }

    /// <summary>Reads a line without its line feed. False: it is damaged.</summary>
    public static bool TryRead(ReadOnlySpan<byte> line, out QueuedEvent queued)
    {
        queued = default;
        if (line.Length <= PrefixBytes || line[PrefixBytes - 1] != ' ')
        {
            return false;
        }

        if (!Utf8Parser.TryParse(line.Slice(0, PrefixBytes - 1), out uint crc, out var digits, 'x') || digits != PrefixBytes - 1)
        {
            return false;
        }

        var json = line.Slice(PrefixBytes);
        if (Crc32.Compute(json) != crc || !TryReadNames(json, out var eventId, out var eventType))
        {
            return false;
        }

        queued = new QueuedEvent(eventId, eventType, json.ToArray());
        return true;
    }

    /// <summary>Id and type, which <see cref="EventSerializer"/> writes before all other fields.</summary>
    private static bool TryReadNames(ReadOnlySpan<byte> json, out Guid eventId, out string eventType)
    {
        eventType = "";
        eventId = default;
        var beforeId = "{\"eventId\":\""u8;
        var beforeType = "\",\"type\":\""u8;
        const int GuidBytes = 36;
        if (!json.StartsWith(beforeId) || json.Length < beforeId.Length + GuidBytes + beforeType.Length)
        {
            return false;
        }

        var rest = json.Slice(beforeId.Length);
        if (!Utf8Parser.TryParse(rest, out eventId, out var consumed) || consumed != GuidBytes)
        {
            return false;
        }

        rest = rest.Slice(GuidBytes);
        if (!rest.StartsWith(beforeType))
        {
            return false;
        }

        rest = rest.Slice(beforeType.Length);
        var end = rest.IndexOf((byte)'"');
        if (end < 0)
        {
            return false;
        }

        eventType = Encoding.UTF8.GetString(rest.Slice(0, end).ToArray());
        return true;
    }
}
