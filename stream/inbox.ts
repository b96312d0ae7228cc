import { createInbox } from '@nats-io/transport-node';
import type { NatsConnection } from './nats.ts';

/** A new subject for replies, below the one that the connection's identity may read. */
export function newInbox(connection: NatsConnection): string {
  return createInbox(inboxPrefixOf(connection));
}

/** Subject of the connection's replies, without the last part. */
export function inboxPrefixOf(connection: NatsConnection): string {
  // The client's interface leaves its options out.
  return (connection as { options?: { inboxPrefix?: string } }).options?.inboxPrefix ?? '_INBOX';
}
