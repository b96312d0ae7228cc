using System;
using System.Collections.Generic;
using System.Linq;

namespace Spor.Tracking.Tests;

public sealed class MemoryQueueTests
{
    /// <summary>Random calls, compared with a list that does the same in the plainest way.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Does_what_a_list_would_do(int seed)
    {
        var random = new Random(seed);
        var dropped = new List<Guid>();
        var queue = new MemoryQueue(50, 5_000, lost => dropped.Add(lost.EventId));
        var (model, modelDropped, flight) = (new List<QueuedEvent>(), new List<Guid>(), 0);
        for (var step = 0; step < 5_000; step++)
        {
            switch (random.Next(4))
            {
                case 0 or 1:
                    var added = Enumerable.Range(0, random.Next(1, 9)).Select(_ => Event(random.Next(1, 400))).ToList();
                    queue.Append(added);
                    foreach (var item in added)
                    {
                        while (model.Count > flight && (model.Count + 1 > 50 || model.Sum(one => one.Json.Length) + item.Json.Length > 5_000))
                        {
                            modelDropped.Add(model[flight].EventId);
                            model.RemoveAt(flight);
                        }

                        model.Add(item);
                    }

                    break;
                case 2:
                    var batch = new List<QueuedEvent>();
                    queue.Release();
                    queue.Peek(batch, 10, 1_000);
                    flight = batch.Count;
                    Assert.Equal(model.Take(flight).Select(one => one.EventId), batch.Select(one => one.EventId));
                    Assert.True(flight == Math.Min(10, model.Count) || batch.Sum(one => one.Json.Length) + flight + model[flight].Json.Length > 1_000);
                    break;
                default:
                    var keep = Enumerable.Range(0, flight).Where(_ => random.Next(5) == 0).ToList();
                    queue.Settle(keep.Count == 0 ? null : keep);
                    model = [.. model.Where((_, i) => i >= flight || keep.Contains(i))];
                    flight = 0;
                    break;
            }

            Assert.Equal((model.Count, model.Sum(one => (long)one.Json.Length)), (queue.Count, queue.Bytes));
        }

        Assert.Equal(modelDropped, dropped);
        Assert.Equal(model.Select(one => one.EventId), queue.TakeUnsaved().Select(one => one.EventId));
    }

    [Fact]
    public void A_mark_is_settled_when_all_before_it_have_left()
    {
        var queue = new MemoryQueue(10, 10_000, _ => { });
        queue.Append([Event(1), Event(1)]);
        var mark = queue.End;
        queue.Append([Event(1)]);
        queue.Peek([], 1, 100);
        queue.Settle(null);
        Assert.False(queue.IsSettled(mark));
        queue.Peek([], 1, 100);
        queue.Settle(null);
        Assert.True(queue.IsSettled(mark));
        Assert.Equal(1, queue.Count);
    }

    private static QueuedEvent Event(int bytes) => new(Guid.NewGuid(), "ProductClicked", new byte[bytes]);
}
