using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking.Tests;

public sealed class SignalTests
{
    [Fact]
    public async Task Is_quiet_only_when_what_it_was_set_for_is_done()
    {
        const int Calls = 300_000;
        var signal = new Signal();
        var done = 0;
        var loop = Task.Run(
            async () =>
            {
                while (done <= Calls)
                {
                    await signal.WaitAsync();
                    Thread.SpinWait(1);
                    Interlocked.Increment(ref done);
                }
            },
            TestContext.Current.CancellationToken);

        for (var call = 1; call <= Calls; call++)
        {
            signal.Set();
            SpinWait.SpinUntil(() => signal.IsIdle);
            Assert.Equal(call, Volatile.Read(ref done));
        }

        signal.Set();
        await loop;
    }
}
