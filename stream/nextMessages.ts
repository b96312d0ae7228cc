import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';
import { FORMAT_HEADER } from '../schemas/envelope.ts';
import type { StreamMessage } from './message.ts';

const NOT_FOUND = 404;
const NO_MESSAGE = 10037;
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
  /** Sequence up to which to read, such as the last one by the stream's leader. */
  to: number;
  /** 0: no limit. */
  maxBytes: number;
}

/**
 * Reads the next messages of a subject, in stream order.
 *
 * `complete` says that no more follow up to the last sequence asked for. Any replica may send messages, and one that is
 * behind its leader knows of no more too early. So the leader has the last word.
 */
export async function nextMessages(
  connection: NatsConnection,
  manager: JetStreamManager,
  query: NextQuery,
): Promise<{ messages: StreamMessage[]; complete: boolean }> {
  const stored = answersBatches(connection) ? await batch(manager, query) : await one(manager, query);
  const last = stored.at(-1);
  const messages = stored.map(asStreamMessage);
  if (last && last.seq >= query.to) return { messages, complete: true };
  if (last && last.pending > 0) return { messages, complete: false };
  const next = await messageOfLeader(manager, query.stream, {
    seq: (last?.seq ?? query.seq - 1) + 1,
    next_by_subj: query.subject,
  });
  if (!next || next.sequence > query.to) return { messages, complete: true };
  return { messages: [...messages, next], complete: false };
}

/** How many messages a read would give, and when the stream stored the first, in milliseconds since 1970. */
export interface PendingMessages {
  count: number;
  oldestMs: number;
}

/** Counts the messages of a subject from a sequence on, without reading them; undefined without one. */
export async function pendingMessages(
  connection: NatsConnection,
  manager: JetStreamManager,
  { stream, subject, seq }: Pick<NextQuery, 'stream' | 'subject' | 'seq'>,
): Promise<PendingMessages | undefined> {
  const first = await messageOfLeader(manager, stream, { seq, next_by_subj: subject });
  if (!first) return undefined;
  const { sequence, timeMs: oldestMs } = first;
  if (answersBatches(connection)) {
    const [counted] = await batch(manager, { stream, subject, seq: sequence, to: sequence, maxBytes: 0 }, 1);
    return { count: 1 + (counted?.pending ?? 0), oldestMs };
  }
  let count = 1;
  for (let from = sequence + 1; ; count++) {
    const next = await messageOfLeader(manager, stream, { seq: from, next_by_subj: subject });
    if (!next) return { count, oldestMs };
    from = next.sequence + 1;
  }
}

/** A message from the stream's leader; undefined if the stream holds none. */
export async function messageOfLeader(
  manager: JetStreamManager,
  stream: string,
  query: { seq: number; next_by_subj?: string },
): Promise<StreamMessage | undefined> {
  try {
    const message = await manager.streams.getMessage(stream, query);
    return message ? asStreamMessage(message) : undefined;
  } catch (error) {
    if ((error as { code?: number }).code === NO_MESSAGE) return undefined;
    throw error;
  }
}

async function one(manager: JetStreamManager, { stream, subject, seq }: NextQuery): Promise<StoredMsg[]> {
  const message = await manager.direct.getMessage(stream, { seq, next_by_subj: subject });
  return message ? [message] : [];
}

async function batch(
  manager: JetStreamManager,
  { stream, subject, seq, maxBytes }: NextQuery,
  most = BATCH_MESSAGES,
): Promise<StoredMsg[]> {
  const messages: StoredMsg[] = [];
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  await manager.direct.getBatch(stream, {
    seq,
    next_by_subj: subject,
    batch: most,
    ...(maxBytes > 0 ? { max_bytes: maxBytes } : {}),
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
