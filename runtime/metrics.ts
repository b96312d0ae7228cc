import { collectDefaultMetrics, Registry } from 'prom-client';

export type { Registry as MetricsRegistry };

/** A registry with the metrics of the process itself: memory, CPU, event loop lag. */
export function createMetrics(component: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ component });
  collectDefaultMetrics({ register: registry });
  return registry;
}
