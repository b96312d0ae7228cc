import { errors } from '@nats-io/transport-node';
import { Counter } from 'prom-client';
import type { MetricsRegistry } from '../runtime/metrics.ts';
import type { Logger } from '../runtime/log.ts';
import type { NatsConnection } from './nats.ts';

/** Time for which a denial makes a service unready. */
const REMEMBER_MS = 30_000;
/** A denied publisher tries many times a second. */
const LOG_EVERY_MS = 1_000;

/** What the stream server has lately denied this process. */
export interface Denials {
  /** The latest denial, for readiness; undefined if there is none. */
  reason: () => string | undefined;
}

/**
 * Logs and counts each denial of the stream server, under the code `stream_forbidden`.
 *
 * Permissions can change while a process runs. The server answers a denied write with nothing else.
 */
export function watchDenials(connection: NatsConnection, registry: MetricsRegistry, log: Logger): Denials {
  const counter = createDenialCounter(registry);
  let latest: { reason: string; atMs: number } | undefined;
  let loggedAtMs = -Infinity;
  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
      const { operation, subject } = status.error;
      counter.inc({ operation });
      latest = { reason: `the stream server says that ${denied(operation, subject)}`, atMs: performance.now() };
      if (latest.atMs - loggedAtMs < LOG_EVERY_MS) continue;
      loggedAtMs = latest.atMs;
      log.error({ code: 'stream_forbidden', operation, subject }, 'the stream server denies this identity a subject');
    }
  };
  void follow(); // ends with the connection, and throws nothing
  return {
    reason: () => (latest && performance.now() - latest.atMs < REMEMBER_MS ? latest.reason : undefined),
  };
}

/** Counts denials. It begins at 0, because an increase from nothing is no increase to Prometheus. */
export function createDenialCounter(registry: MetricsRegistry): Counter<'operation'> {
  const counter = new Counter({
    name: 'spor_stream_denials_total',
    help: 'Requests that the stream server denied this identity, by operation.',
    labelNames: ['operation'],
    registers: [registry],
  });
  for (const operation of ['publish', 'subscription']) counter.inc({ operation }, 0);
  return counter;
}

/** What the server denied this identity, if that is why a request failed. A repetition is denied too. */
export function denialOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (!(error instanceof errors.PermissionViolationError)) return denialOf(error.cause);
  return denied(error.operation, error.subject);
}

function denied(operation: string, subject: string): string {
  const verb = operation === 'publish' ? 'publish to' : 'subscribe to';
  return `this identity may not ${verb} ${subject}`;
}
