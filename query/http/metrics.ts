import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Slots } from '../engine/slots.ts';

const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The query server's metrics. */
export class QueryMetrics {
  readonly registry: Registry;
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #refusedMarks: Counter;
  readonly #usageUpdates: Counter;

  constructor(registry: Registry, slots: Slots) {
    this.registry = registry;
    const registers = [registry];
    this.#requests = new Counter({
      name: 'spor_lake_requests_total',
      help: 'Requests, by the path pattern of their route (none: no such address) and outcome (ok, or an error code).',
      labelNames: ['route', 'code'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'spor_lake_request_seconds',
      help: 'From the request to the end of its answer, waiting included, of requests that were answered.',
      labelNames: ['route'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.#refusedMarks = new Counter({
      name: 'spor_lake_marks_refused_total',
      help: 'Marks of completeness that were not given because the clocks differ.',
      registers,
    });
    this.#usageUpdates = new Counter({
      name: 'spor_lake_usage_updates_total',
      help: 'Updates of the usage table of a tenant, by outcome: ok or failed.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of ['ok', 'failed']) this.#usageUpdates.inc({ outcome }, 0);
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge('spor_lake_queries_running', 'Queries that run.', () => slots.running);
    gauge('spor_lake_queries_waiting', 'Queries that wait for others.', () => slots.waiting);
  }

  /** Counts a mark of completeness that was not given. */
  markRefused(): void {
    this.#refusedMarks.inc();
  }

  /** Counts an update of a tenant's usage. */
  usageUpdated(outcome: 'ok' | 'failed'): void {
    this.#usageUpdates.inc({ outcome });
  }

  /** Counts an answer. `route` is a path pattern or `none`; `code` is `ok` or a code of LAKE_ERRORS. */
  answered({ route, code, seconds }: { route: string; code: string; seconds: number }): void {
    this.#requests.inc({ route, code });
    if (code === 'ok') this.#seconds.observe({ route }, seconds);
  }
}
