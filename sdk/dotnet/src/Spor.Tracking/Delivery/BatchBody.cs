using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.IO.Compression;
using System.Text;

namespace Spor.Tracking;

/// <summary>Builds request bodies: <c>{"sentAt":"…","events":[…]}</c>. The key travels in a header.</summary>
internal sealed class BatchBody
{
    /// <summary>Bytes of a body besides its events and the commas between them.</summary>
    public const int EnvelopeBytes = 64;

    /// <summary>Below this, compression saves no packet.</summary>
    private const int WorthCompressing = 1024;

    private static readonly byte[] Suffix = [(byte)']', (byte)'}'];

    private readonly MemoryStream plain = new();
    private readonly MemoryStream compressed = new();

    /// <summary>
    /// The body in an array of its own: after a timeout the HTTP stack may still be reading it, so that it is never reused.
    /// </summary>
    public byte[] Build(List<QueuedEvent> events, DateTimeOffset sentAt, bool compress, out bool isCompressed)
    {
        plain.SetLength(0);
        var time = sentAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture);
        var prefix = Encoding.ASCII.GetBytes($"{{\"sentAt\":\"{time}\",\"events\":[");
        plain.Write(prefix, 0, prefix.Length);
        for (var i = 0; i < events.Count; i++)
        {
            if (i > 0)
            {
                plain.WriteByte((byte)',');
            }

            plain.Write(events[i].Json, 0, events[i].Json.Length);
        }

        plain.Write(Suffix, 0, Suffix.Length);
        isCompressed = compress && plain.Length >= WorthCompressing;
        if (!isCompressed)
        {
            return plain.ToArray();
        }

        compressed.SetLength(0);
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(plain.GetBuffer(), 0, (int)plain.Length);
        }

        return compressed.ToArray();
    }
}
