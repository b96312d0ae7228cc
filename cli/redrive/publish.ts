import { createHash } from 'node:crypto';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { Message } from '../../ingest/stream/message.ts';
import { Progress } from '../../stream/progress.ts';
import { delay } from '../../runtime/retry.ts';
import { shardRange } from '../../stream/shardCount.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { EVENTS_HEADER, FORMAT, FORMAT_HEADER, type BatchHeader } from '../../schemas/envelope.ts';
import { formatSubject, shardOf, streamName } from '../../schemas/subjects.ts';
import type { StreamSettings } from '../stream.ts';
import type { Candidate } from './candidates.ts';

const MESSAGE_BYTES = 256 * 1024;
const ACK_MS = 10_000;
const POLL_MS = 100;
const POLLS_A_LOOK = 20;

/** Writer of redriven events. */
export interface RedriveStream {
  /** Publish events of one rejected batch; durable when resolved. A repetition is stored once. */
  publish(candidates: readonly Candidate[]): Promise<void>;
  /**
   * Wait until the published events are in the lake; false after the time.
   *
   * The shard's position waits for every tenant, so `found` looks into the lake too.
   */
  committed(withinMs: number, found: () => Promise<boolean>): Promise<boolean>;
}

/**
 * Open the stream of a tenant's shard.
 * @throws Error if the stream does not exist
 */
export async function openRedriveStream(
  connection: NatsConnection,
  tenantId: string,
  { replicas }: Pick<StreamSettings, 'replicas'>,
): Promise<RedriveStream> {
  const manager = await jetstreamManager(connection);
  const { first, shards } = await shardRange(manager);
  if (shards === 0) throw new Error('there are no streams yet: start an Event Receiver or a processor first');
  const shard = shardOf(tenantId, shards, first);
  const name = streamName(shard);
  const info = await streamInfo(manager, name);
  if (!info) throw new Error(`the stream ${name} does not exist: start an Event Receiver or a processor first`);
  const progress = await Progress.open(connection, { replicas: replicas });
  const client = jetstream(connection);
  let last = 0;
  return {
    publish: async (candidates) => {
      for (const message of messagesOf(candidates, { tenantId, shard })) {
        last = Math.max(last, await send(client, name, message));
      }
    },
    committed: async (withinMs, found) => {
      const until = performance.now() + withinMs;
      for (let look = 1; (await progress.floor(shard, info.created, tenantId)) < last; look++) {
        if (look % POLLS_A_LOOK === 0 && (await found())) return true;
        if (performance.now() > until) return false;
        await sameStream(manager, name, info.created);
        await delay(POLL_MS);
      }
      return true;
    },
  };
}

async function sameStream(manager: JetStreamManager, name: string, created: string): Promise<void> {
  if ((await streamInfo(manager, name))?.created !== created)
    throw new Error(`the stream ${name} was deleted or created again: redrive again`);
}

/** Build messages in the receivers' format, with the facts of the rejected batches. */
function messagesOf(candidates: readonly Candidate[], of: { tenantId: string; shard: number }): Message[] {
  const { row, skewMs, sentAt } = candidates[0]!;
  const { tenantId, shard } = of;
  const subject = formatSubject({ kind: 'events', shard, tenantId, segmentId: row.segmentId });
  const header = (accepted: number): string =>
    JSON.stringify({
      receivedAt: new Date(row.receivedAt).toISOString(),
      ...(sentAt === undefined ? {} : { sentAt }),
      skewMs,
      keyId: row.keyId ?? '',
      ...(row.keyKind === null ? {} : { keyKind: row.keyKind }),
      ...(row.userAgent === null ? {} : { userAgent: row.userAgent }),
      redrivenFrom: row.receiptId,
      accepted,
    } satisfies BatchHeader);
  const messages: Message[] = [];
  for (const part of parts(candidates)) {
    const message = new Message(shard, subject);
    const lineEnds = part.map(({ lineEnd }) => lineEnd);
    const entry = { shard, subject, header: header(part.length), lineEnds, deadlineMs: Infinity, settle: () => {} };
    message.add(entry, message.measure(entry));
    messages.push(message);
  }
  return messages;
}

/** Split events into messages of the usual size. */
function parts(candidates: readonly Candidate[]): Candidate[][] {
  const result: Candidate[][] = [[]];
  let bytes = 0;
  for (const candidate of candidates) {
    const own = Buffer.byteLength(candidate.lineEnd);
    if (bytes > 0 && bytes + own > MESSAGE_BYTES) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)!.push(candidate);
    bytes += own;
  }
  return result;
}

/** Publish a message. Its id is a hash of its content, so that the stream drops repetitions. */
async function send(client: JetStreamClient, stream: string, message: Message): Promise<number> {
  const fields = headers();
  const { subject, events } = message;
  const payload = message.takePayload();
  fields.set('Nats-Msg-Id', `redrive.${createHash('sha256').update(payload).digest('base64url')}`);
  fields.set(FORMAT_HEADER, FORMAT);
  fields.set(EVENTS_HEADER, String(events));
  const expect = { streamName: stream };
  const ack = await client.publish(subject, payload, { headers: fields, timeout: ACK_MS, expect });
  return ack.seq;
}
