import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export type { Registry as MetricsRegistry };

/** A registry with the metrics of the process itself: memory, CPU, event loop lag. */
export function createMetrics(component: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ component });
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Adds `spor_ready`, which says the same as `/readyz`. */
export function observeReadiness(registry: Registry, notReady: () => string | undefined): void {
  new Gauge({
    name: 'spor_ready',
    help: '1 while /readyz answers 200, else 0.',
    registers: [registry],
    collect() {
      this.set(notReady() === undefined ? 1 : 0);
    },
  });
}
