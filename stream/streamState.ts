import type { StreamInfo } from '@nats-io/jetstream';
import { streamEpoch } from '../schemas/receipt.ts';

/** Name and creation time of a stream. A recreated stream has another time. */
export interface StreamIdentity {
  name: string;
  /** As JetStream reports it. */
  created: string;
}

/** A stream as its leader describes it. */
export interface StreamState extends StreamIdentity {
  /** Identity under which tables keep the stream's position. */
  appId: string;
  /** Identity that receipts carry. */
  epoch: number;
  /** Sequence before which the stream holds no message. */
  firstSequence: number;
  /** Sequence of the newest message. */
  lastSequence: number;
  /** Store time of the first message, in milliseconds since 1970. Undefined: none is held. */
  firstMs: number | undefined;
  /** Store time of the last message, in milliseconds since 1970. Undefined: none is held. */
  lastMs: number | undefined;
  /** The server's clock when it answered, in milliseconds since 1970. NaN: not sent. */
  atMs: number;
}

/** The id of a stream in the `txn` entries of a table. */
export function streamAppId({ name, created }: StreamIdentity): string {
  return `${name}@${created}`;
}

export function streamStateOf(info: StreamInfo): StreamState {
  const { created, state } = info;
  const identity = { name: info.config.name, created };
  const { ts } = info as { ts?: string };
  return {
    ...identity,
    appId: streamAppId(identity),
    epoch: streamEpoch(created),
    firstSequence: state.first_seq,
    lastSequence: state.last_seq,
    firstMs: state.messages === 0 ? undefined : new Date(state.first_ts).getTime(),
    lastMs: state.messages === 0 ? undefined : new Date(state.last_ts).getTime(),
    atMs: ts === undefined ? NaN : Date.parse(ts),
  };
}
