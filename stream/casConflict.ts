import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';

/** JetStream's error codes for a compare-and-set that conflicts. */
const WRONG_LAST_SEQUENCE: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
];

/** Whether a compare-and-set in a KV bucket conflicts with another writer. */
export function isCasConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code);
}
