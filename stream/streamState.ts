import type { StreamInfo } from '@nats-io/jetstream';
import { streamEpoch } from '../schemas/receipt.ts';

/** Name and creation time of a stream; one made anew has another time. */
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
  /** Messages before this one are not in the stream any more. */
  firstSequence: number;
  /** The newest message. */
  lastSequence: number;
  /** When the first message held was stored, in milliseconds since 1970; undefined: it holds none. */
  firstMs: number | undefined;
  /** The server's clock when it answered, in milliseconds since 1970; NaN from a server that does not say. */
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
    atMs: ts === undefined ? NaN : Date.parse(ts),
  };
}
