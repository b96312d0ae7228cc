import { collectDefaultMetrics, Registry } from 'prom-client';

export type { Registry as MetricsRegistry };

/** A registry with the process's own metrics (memory, CPU, event loop lag). One per process or test server. */
export function createMetrics(component: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ component });
  collectDefaultMetrics({ register: registry });
  return registry;
}
