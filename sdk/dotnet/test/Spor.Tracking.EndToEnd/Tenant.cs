using System;
using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;

namespace Spor.Tracking.EndToEnd;

/// <summary>A tenant of the real stack.</summary>
public sealed class Tenant(SporServers stack, string id, string key, string token)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    public string Id { get; } = id;

    public string Key { get; } = key;

    /// <summary>Asks until the first row is the expected one; fails with the last row once patience ends.</summary>
    public async Task ExpectRowAsync(string sql, params string[] expected)
    {
        var watch = Stopwatch.StartNew();
        string[] row = [];
        while (watch.Elapsed < Patience)
        {
            if (await stack.QueryAsync(token, sql) is { Count: > 0 } rows)
            {
                row = [.. rows[0]!.AsArray().Select(cell => cell?.ToString() ?? "null")];
                if (row.SequenceEqual(expected))
                {
                    return;
                }
            }

            await Task.Delay(250);
        }

        Assert.Equal(expected, row);
    }
}
