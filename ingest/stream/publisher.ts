import type { Failure } from './message.ts';

/** A complete message on its way to a shard's stream. */
export interface Outgoing {
  shard: number;
  subject: string;
  payload: Uint8Array;
  /** Event lines in the payload. */
  events: number;
  /** When waiting for the acknowledgement ends, by the monotonic clock. */
  deadlineMs: number;
  /** Called once: where the message lies, or that this is not known. */
  done(result: Published | Failure): void;
}

/** Where a message lies: the stream's epoch (schemas/receipt.ts) and the message's sequence. */
export interface Published {
  epoch: number;
  sequence: number;
}

/** The way into the stream. */
export interface Publisher {
  /** Largest payload the stream takes, in bytes. */
  readonly maxPayloadBytes: number;
  /** Why a shard's stream cannot be written now; undefined when it can. */
  unavailable(shard: number): string | undefined;
  /** Publishes messages of one shard, each acknowledged by itself. */
  publish(messages: readonly Outgoing[]): void;
}
