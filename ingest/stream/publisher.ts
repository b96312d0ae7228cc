import type { Failure } from './message.ts';

/** A complete message for a shard's stream. */
export interface Outgoing {
  shard: number;
  subject: string;
  payload: Uint8Array;
  /** Number of event lines in the payload. */
  events: number;
  /** Deadline of the acknowledgement, by the monotonic clock. */
  deadlineMs: number;
  /** Called once, with the position or an error. */
  done(result: Published | Failure): void;
}

/** Position of a message: epoch of the stream (schemas/receipt.ts) and sequence. */
export interface Published {
  epoch: number;
  sequence: number;
}

/** Writer of messages into the streams. */
export interface Publisher {
  /** Largest payload, in bytes. */
  readonly maxPayloadBytes: number;
  /** The reason why a shard cannot be written now; undefined if it can. */
  unavailable(shard: number): string | undefined;
  /** The reason why a shard must not be written until an operator acts. */
  setBack?(shard: number): string | undefined;
  /** Publish messages of one shard; each is acknowledged singly. */
  publish(messages: readonly Outgoing[]): void;
}
