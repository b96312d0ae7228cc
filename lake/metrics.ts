import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Slots } from './query/slots.ts';

const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The query server's metrics. */
export class LakeMetrics {
  readonly registry: Registry;
  readonly #queries: Counter;
  readonly #seconds: Histogram;

  constructor(registry: Registry, slots: Slots) {
    this.registry = registry;
    const registers = [registry];
    this.#queries = new Counter({
      name: 'spor_lake_queries_total',
      help: 'Queries, by outcome.',
      labelNames: ['code'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'spor_lake_query_seconds',
      help: 'From the request to the answer of queries that were answered, waiting included.',
      buckets: LATENCY_BUCKETS,
      registers,
    });
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

  /** `code` is `ok` or a code of LAKE_ERRORS. */
  answered(code: string, seconds: number): void {
    this.#queries.inc({ code });
    if (code === 'ok') this.#seconds.observe(seconds);
  }
}
