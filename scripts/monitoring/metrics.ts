import { IngestMetrics } from '../../ingest/metrics.ts';
import { createCounters } from '../../lake/maintenance/metrics.ts';
import { createProcessorMetrics } from '../../processor/metrics.ts';
import { createSlots } from '../../query/engine/slots.ts';
import { QueryMetrics } from '../../query/http/metrics.ts';
import { createMartMetrics } from '../../query/marts/metrics.ts';
import { observeDiskSpace } from '../../runtime/diskSpace.ts';
import { createMetrics, observeReadiness, type MetricsRegistry } from '../../runtime/metrics.ts';
import { createDroppedSpans } from '../../runtime/tracing.ts';
import { createDenialCounter } from '../../stream/denials.ts';

/** A metric as a service declares it. */
export interface DeclaredMetric {
  name: string;
  help: string;
  type: string;
  labels: readonly string[];
  /** Services that have it, by their label `component`. */
  components: string[];
}

/** Every metric of every service, read from registries filled by the services' own code. */
export async function declaredMetrics(): Promise<DeclaredMetric[]> {
  const found = new Map<string, DeclaredMetric>();
  for (const [component, registry] of registries()) {
    for (const { name, help, type } of await registry.getMetricsAsJSON()) {
      const metric = registry.getSingleMetric(name) as unknown as { labelNames?: string[] };
      const known = found.get(name);
      if (known) known.components.push(component);
      else
        found.set(name, { name, help, type: String(type), labels: metric.labelNames ?? [], components: [component] });
    }
  }
  return [...found.values()];
}

function registries(): [component: string, registry: MetricsRegistry][] {
  const ingest = createMetrics('ingest');
  const nothing = (): number => 0;
  new IngestMetrics(ingest).observe({
    bytesInFlight: nothing,
    requestsInFlight: nothing,
    keys: nothing,
    keysStaleSeconds: nothing,
    clockAheadSeconds: nothing,
    shardsUnavailable: nothing,
    streamsSetBack: nothing,
  });
  const processor = createMetrics('processor');
  createProcessorMetrics(processor, 1);
  createCounters(processor);
  observeDiskSpace(processor, {});
  for (const registry of [ingest, processor]) createDroppedSpans(registry);
  const lake = createMetrics('lake');
  new QueryMetrics(lake, createSlots({ concurrent: 1, queued: 1 }));
  createMartMetrics(lake);
  observeDiskSpace(lake, {});
  for (const registry of [ingest, processor, lake]) {
    observeReadiness(registry, () => undefined);
    createDenialCounter(registry);
  }
  return [
    ['ingest', ingest],
    ['processor', processor],
    ['lake', lake],
  ];
}
