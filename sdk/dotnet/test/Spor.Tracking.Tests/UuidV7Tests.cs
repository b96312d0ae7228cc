using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Threading.Tasks;

namespace Spor.Tracking.Tests;

public sealed class UuidV7Tests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 23, 10, 0, 0, 123, TimeSpan.Zero);

    [Fact]
    public void Has_version_variant_and_time()
    {
        var id = UuidV7.Create(Time);
        Assert.Equal(7, id.Version);
        Assert.InRange(id.Variant, 8, 11);
        var milliseconds = Convert.ToInt64(id.ToString("N")[..12], 16);
        Assert.Equal(Time.ToUnixTimeMilliseconds(), milliseconds);
    }

    [Fact]
    public void Later_ids_sort_after_earlier_ones()
    {
        var ids = Enumerable.Range(0, 1000).Select(i => UuidV7.Create(Time.AddMilliseconds(i)).ToString()).ToList();
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
    }

    [Fact]
    public void Eight_threads_make_no_id_twice()
    {
        var ids = new ConcurrentBag<Guid[]>();
        Parallel.For(0, 8, _ => ids.Add([.. Enumerable.Range(0, 50_000).Select(_ => UuidV7.Create(Time))]));
        Assert.Equal(400_000, ids.SelectMany(some => some).Distinct().Count());
    }
}
