using System;
using System.Security.Cryptography;

namespace Spor.Tracking;

/// <summary>UUIDs of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits.</summary>
internal static class UuidV7
{
    private const int RandomBytesPerId = 10;
    private const int PoolBytes = 100 * RandomBytesPerId;

    // Asking the operating system for ten bytes costs more than all the rest of Track; a thread asks for a hundred ids at once.
    [ThreadStatic]
    private static byte[]? pool;

    [ThreadStatic]
    private static int used;

    public static Guid Create(DateTimeOffset now)
    {
        var random = pool;
        if (random is null)
        {
            random = pool = new byte[PoolBytes];
            used = PoolBytes;
        }

        if (used == PoolBytes)
        {
            Fill(random);
            used = 0;
        }

        var from = used;
        used += RandomBytesPerId;
        var milliseconds = now.ToUnixTimeMilliseconds();
        return new Guid(
            (int)(milliseconds >> 16),
            (short)milliseconds,
            (short)(0x7000 | ((random[from] & 0x0F) << 8) | random[from + 1]),
            (byte)(0x80 | (random[from + 2] & 0x3F)),
            random[from + 3],
            random[from + 4],
            random[from + 5],
            random[from + 6],
            random[from + 7],
            random[from + 8],
            random[from + 9]);
    }

    private static void Fill(byte[] bytes)
    {
#if NET
        RandomNumberGenerator.Fill(bytes);
#else
        using var generator = RandomNumberGenerator.Create();
        generator.GetBytes(bytes);
#endif
    }
}
