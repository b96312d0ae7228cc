import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RejectedEvent } from '../schemas/envelope.ts';
import { EVENT_ERRORS, REQUEST_ERRORS } from '../schemas/errors.ts';
import type { Correction } from '../schemas/normalise/correction.ts';

/** Sources of the gauges. */
export interface IngestState {
  bytesInFlight: () => number;
  requestsInFlight: () => number;
  keys: () => number;
  keysStaleSeconds: () => number;
  clockAheadSeconds: () => number;
  shardsUnavailable: () => number;
  streamsSetBack: () => number;
}

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const MESSAGE_BUCKETS = [1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];

/** Metrics of the Event Receiver: plain numbers, formatted for Prometheus at each scrape. */
export class IngestMetrics {
  readonly registry: Registry;
  readonly #requests = new Map<string, number>();
  readonly #rejected = new Map<string, number>();
  readonly #corrections = new Map<string, number>();
  #accepted = 0;
  #unconfirmed = 0;
  readonly #batches: Histogram;
  readonly #messageBytes: Histogram;
  readonly #latency: Histogram;

  constructor(registry: Registry) {
    this.registry = registry;
    const registers = [registry];
    // What alerts count begins at 0: an increase from nothing is no increase to Prometheus.
    for (const [code, { status }] of Object.entries(REQUEST_ERRORS)) if (status >= 500) this.#requests.set(code, 0);
    for (const code of Object.keys(EVENT_ERRORS)) this.#rejected.set(code, 0);
    tally(registry, 'spor_ingest_requests_total', 'POSTs answered, by outcome.', this.#requests);
    tally(registry, 'spor_ingest_events_rejected_total', 'Events rejected and quarantined, by reason.', this.#rejected);
    const corrected = 'Corrections of accepted events and their batches, by kind.';
    tally(registry, 'spor_ingest_corrections_total', corrected, this.#corrections, 'kind');
    counter(registry, 'spor_ingest_events_accepted_total', 'Events accepted and on disk.', () => this.#accepted);
    counter(
      registry,
      'spor_ingest_messages_unconfirmed_total',
      'Stream messages whose write was not confirmed in time.',
      () => this.#unconfirmed,
    );
    this.#batches = new Histogram({
      name: 'spor_ingest_message_batches',
      help: 'Batches that shared a stream message.',
      buckets: BATCH_BUCKETS,
      registers,
    });
    this.#messageBytes = new Histogram({
      name: 'spor_ingest_message_bytes',
      help: 'Size of stream messages.',
      buckets: MESSAGE_BUCKETS,
      registers,
    });
    this.#latency = new Histogram({
      name: 'spor_ingest_publish_seconds',
      help: 'From publishing a message to its acknowledgement.',
      buckets: LATENCY_BUCKETS,
      registers,
    });
  }

  answered(code: string): void {
    this.#requests.set(code, (this.#requests.get(code) ?? 0) + 1);
  }

  eventsStored(accepted: number, rejected: readonly RejectedEvent[], corrected: readonly Correction[]): void {
    this.#accepted += accepted;
    for (const { kind } of corrected) this.#corrections.set(kind, (this.#corrections.get(kind) ?? 0) + 1);
    for (const { code } of rejected) this.#rejected.set(code, (this.#rejected.get(code) ?? 0) + 1);
  }

  published({
    batches,
    bytes,
    seconds,
    confirmed,
  }: {
    batches: number;
    bytes: number;
    seconds: number;
    confirmed: boolean;
  }): void {
    if (!confirmed) {
      this.#unconfirmed++;
      return;
    }
    this.#batches.observe(batches);
    this.#messageBytes.observe(bytes);
    this.#latency.observe(seconds);
  }

  /** Add the gauges. */
  observe(state: IngestState): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    };
    gauge('spor_ingest_in_flight_bytes', 'Bytes held for requests not yet answered.', state.bytesInFlight);
    gauge('spor_ingest_in_flight_requests', 'Requests not yet answered.', state.requestsInFlight);
    gauge('spor_ingest_keys', 'Instrumentation keys known.', state.keys);
    gauge(
      'spor_ingest_streams_set_back',
      'Streams that lack messages they acknowledged: their store was set back.',
      state.streamsSetBack,
    );
    gauge(
      'spor_ingest_keys_stale_seconds',
      'For how long changes of keys may have gone unseen; 0: not at all.',
      state.keysStaleSeconds,
    );
    gauge(
      'spor_ingest_clock_ahead_seconds',
      "By how much this host's clock is ahead of the stream server's.",
      state.clockAheadSeconds,
    );
    gauge(
      'spor_ingest_shards_unavailable',
      'Shards that do not acknowledge now, whose events get 503.',
      state.shardsUnavailable,
    );
  }
}

function tally(registry: Registry, name: string, help: string, counts: Map<string, number>, label = 'code'): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of counts) this.inc({ [label]: value }, count);
    },
  });
}

function counter(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
