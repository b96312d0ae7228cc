using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Spor.Tracking;

/// <summary>
/// Unhealthy (or what the registration says) when the receiver does not accept the key; degraded while the receiver takes no
/// events or the spool cannot be written.
/// </summary>
internal sealed class TrackingHealthCheck(ITrackingClientFactory factory, string clientName) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var statistics = factory.GetClient(clientName).Statistics;
        var data = new Dictionary<string, object>
        {
            ["state"] = statistics.State.ToString(),
            ["queued"] = statistics.Queued,
            ["sent"] = statistics.Sent,
            ["dropped"] = statistics.Dropped.Values.Sum(),
        };
        var result = statistics.State switch
        {
            TrackingState.Stopped => new HealthCheckResult(
                context.Registration.FailureStatus,
                "The event receiver does not accept the instrumentation key; nothing is sent.",
                null,
                data),
            TrackingState.Waiting => HealthCheckResult.Degraded("The event receiver does not take events at present.", null, data),
            _ when statistics.SpoolFails => HealthCheckResult.Degraded("The spool cannot be written; events are in memory only.", null, data),
            _ => HealthCheckResult.Healthy(null, data),
        };
        return Task.FromResult(result);
    }
}
