import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import { denialOf } from './denials.ts';
import { retry } from '../runtime/retry.ts';

const START_BACKOFF = { firstMs: 100, maxMs: 2_000, attempts: Infinity };

const TRANSIENT = [
  JetStreamApiError,
  JetStreamError,
  errors.RequestError,
  errors.TimeoutError,
  errors.NoRespondersError,
  errors.ConnectionError,
];

/** Repeats a startup task until the server or its new leader answers. */
export function untilServed<T>(task: () => Promise<T>, what: string, log: Logger): Promise<T> {
  return retry(task, START_BACKOFF, {
    retryable: (error) => !denialOf(error) && TRANSIENT.some((kind) => error instanceof kind),
    onRetry: (error, attempt) => {
      if (attempt % 5 === 0) log.warn({ err: error }, `${what} cannot be read yet, trying again`);
    },
  });
}
