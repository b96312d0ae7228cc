import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { EVENTS_HEADER, FORMAT, FORMAT_HEADER } from '../../schemas/envelope.ts';
import type { Outgoing } from './publisher.ts';

/** JetStream's own error codes (nats-server, server/errors.json). */
export const STREAM_FULL = 10077;
/** The id is being stored; too many requests. */
export const WAIT_AND_RESEND: ReadonlySet<number> = new Set([10158, 10167]);
export const STATUS_NO_RESPONDERS = 503;

/** JetStream's answer to a write. */
export interface PubAck {
  stream?: string;
  seq?: number;
  duplicate?: boolean;
  /** Messages of an atomic batch; `seq` is the last one's. */
  count?: number;
  error?: { code: number; err_code?: number; description: string };
}

/** Headers of a message; the stream stores a message of one id once. */
export function messageHeaders(id: string, { events }: Pick<Outgoing, 'events'>): MsgHdrs {
  const made = headers();
  made.set('Nats-Msg-Id', id);
  made.set(FORMAT_HEADER, FORMAT);
  made.set(EVENTS_HEADER, String(events));
  return made;
}

/** Makes a message part of an atomic batch (NATS ADR-50). */
export function setBatch(message: MsgHdrs, { id, index, last }: { id: string; index: number; last: boolean }): void {
  message.set('Nats-Batch-Id', id);
  message.set('Nats-Batch-Sequence', String(index + 1));
  if (last) message.set('Nats-Batch-Commit', '1');
}
