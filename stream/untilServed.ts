import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import { denialOf } from './denials.ts';
import { StreamUnavailableError } from './errors.ts';
import { retry } from '../runtime/retry.ts';

const START_BACKOFF = { firstMs: 100, maxMs: 2_000, attempts: Infinity };

/** The client's name for "no server takes the request now". It does not export the class. */
const NOT_ENABLED = 'JetStreamNotEnabled';
const TRANSIENT = [
  StreamUnavailableError,
  JetStreamApiError,
  JetStreamError,
  errors.RequestError,
  errors.TimeoutError,
  errors.NoRespondersError,
  errors.ConnectionError,
];

/** JetStream's error code for servers without a leader (nats-server, server/errors.json). */
const NO_LEADER = 10008;

/** Tests whether an error means that the stream servers do not serve now, such as during an election. */
export function isOutage(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.code === NO_LEADER;
  const kinds = [StreamUnavailableError, errors.TimeoutError, errors.NoRespondersError];
  return kinds.some((kind) => error instanceof kind) || (error as Error).name === NOT_ENABLED;
}

/** Repeats a startup task until the server or its new leader answers. */
export function untilServed<T>(task: () => Promise<T>, what: string, log: Logger): Promise<T> {
  return retry(task, START_BACKOFF, {
    retryable: (error) =>
      !denialOf(error) && (TRANSIENT.some((kind) => error instanceof kind) || (error as Error).name === NOT_ENABLED),
    onRetry: (error, attempt) => {
      if (attempt % 5 === 0) log.warn({ err: error }, `${what} cannot be read yet, trying again`);
    },
  });
}
