import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';
import { FORMAT_HEADER } from '../schemas/envelope.ts';
import type { StreamMessage } from './message.ts';

const NOT_FOUND = 404;
const BATCH_MESSAGES = 1_000;
/**
 * Oldest server that answers with many messages at once (ADR-31).
 *
 * Older servers get one request a message.
 */
const BATCH_SERVER = [2, 11] as const;

/** Start, subject and size of a read from a stream. */
export interface NextQuery {
  stream: string;
  /** May contain wildcards. */
  subject: string;
  /** Sequence of the first message to read. */
  seq: number;
  maxBytes: number;
}

/**
 * Reads the next messages of a subject, in stream order.
 *
 * The answer is empty if the stream holds none from that sequence on. `complete` says that no more follow.
 */
export async function nextMessages(
  connection: NatsConnection,
  manager: JetStreamManager,
  query: NextQuery,
): Promise<{ messages: StreamMessage[]; complete: boolean }> {
  const stored = answersBatches(connection) ? await batch(manager, query) : await one(manager, query);
  const last = stored.at(-1);
  return { messages: stored.map(asStreamMessage), complete: !last || last.pending === 0 };
}

async function one(manager: JetStreamManager, { stream, subject, seq }: NextQuery): Promise<StoredMsg[]> {
  const message = await manager.direct.getMessage(stream, { seq, next_by_subj: subject });
  return message ? [message] : [];
}

async function batch(manager: JetStreamManager, { stream, subject, seq, maxBytes }: NextQuery): Promise<StoredMsg[]> {
  const messages: StoredMsg[] = [];
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  await manager.direct.getBatch(stream, {
    seq,
    next_by_subj: subject,
    batch: BATCH_MESSAGES,
    max_bytes: maxBytes,
    // With a callback the client releases its subscription at the end; an iterator keeps one per call.
    callback: (done, message) => {
      if (!done) messages.push(message);
      else if (done.err && !isNothingFound(done.err)) reject(done.err);
      else resolve();
    },
  });
  await ended;
  return messages;
}

function answersBatches(connection: NatsConnection): boolean {
  const [major = 0, minor = 0] = (connection.info?.version ?? '').split('.').map(Number);
  return major > BATCH_SERVER[0] || (major === BATCH_SERVER[0] && minor >= BATCH_SERVER[1]);
}

function isNothingFound(error: Error): boolean {
  return (error as { code?: unknown }).code === NOT_FOUND;
}

/** Converts a stored message for a window. */
export function asStreamMessage(message: StoredMsg): StreamMessage {
  return {
    subject: message.subject,
    sequence: message.seq,
    timeMs: message.time.getTime(),
    data: message.data,
    format: message.header.get(FORMAT_HEADER) || undefined,
  };
}
