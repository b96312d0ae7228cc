import { Counter, Gauge } from 'prom-client';
import type { MetricsRegistry } from '../../runtime/metrics.ts';

/** What the refreshes of marts came to. */
export interface MartMetrics {
  /** Notes the end of one tenant's refresh. */
  refreshed(tenantId: string, outcome: readonly { outcome: string }[] | Error): void;
}

/** @param now Steady clock in milliseconds; absent: this process's */
export function createMartMetrics(registry: MetricsRegistry, now: () => number = () => performance.now()): MartMetrics {
  const registers = [registry];
  /** When the first of a tenant's failures in a row was, by tenant. */
  const failingSince = new Map<string, number>();
  const refreshes = new Counter({
    name: 'spor_lake_mart_refreshes_total',
    help: 'Refreshes of the marts of a tenant, by outcome: ok or failed.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['ok', 'failed']) refreshes.inc({ outcome }, 0);
  new Gauge({
    name: 'spor_lake_marts_failing_seconds',
    help: 'For how long each refresh of some tenant has failed; 0: none fails.',
    registers,
    collect() {
      this.set(failingSince.size === 0 ? 0 : (now() - Math.min(...failingSince.values())) / 1_000);
    },
  });
  return {
    refreshed(tenantId, outcome) {
      const failed = outcome instanceof Error || outcome.some((mart) => mart.outcome === 'failed');
      refreshes.inc({ outcome: failed ? 'failed' : 'ok' });
      if (!failed) failingSince.delete(tenantId);
      else if (!failingSince.has(tenantId)) failingSince.set(tenantId, now());
    },
  };
}
