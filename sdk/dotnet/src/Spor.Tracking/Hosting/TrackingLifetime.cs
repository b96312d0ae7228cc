using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Hosting;

namespace Spor.Tracking;

/// <summary>
/// Creates the clients when the host starts, so that what an earlier process left in the spool is sent without waiting for the
/// first event, and closes them when everything else has stopped, so that what other services track while they stop is sent too.
/// </summary>
internal sealed class TrackingLifetime(TrackingClientFactory factory) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (var name in factory.Names)
        {
            factory.GetClient(name);
        }

        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        var closing = factory.DisposeAsync().AsTask();
        var cancelled = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        using (cancellationToken.Register(static state => ((TaskCompletionSource<bool>)state!).TrySetResult(true), cancelled))
        {
            // The host's patience may end before ours; disposing the container then waits for the rest.
            await Task.WhenAny(closing, cancelled.Task).ConfigureAwait(false);
        }
    }
}
