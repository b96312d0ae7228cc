import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';

/** JetStream's answers to a compare-and-set that lost. */
const WRONG_LAST_SEQUENCE: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
];

/** Whether a compare-and-set in a KV bucket lost against another writer. */
export function isCasConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code);
}
