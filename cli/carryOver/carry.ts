/*
 * Moves what a stream that was set back holds to a new incarnation, in steps:
 *
 *   note → seal → copy → delete → create → publish → clear
 *
 * The note stops receivers and processors, and stands to the end. Copy takes the parts of each message that the lake lacks
 * into a stream of the command's own. Then the stream is deleted and created, and the copy is published into it. This command
 * is the only writer of both streams, so the last message of each tells where an interrupted command goes on.
 */
import { jetstream, StorageType, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { EVENTS_HEADER } from '../../schemas/envelope.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { asStreamMessage } from '../../stream/nextMessages.ts';
import { nextStored } from '../../stream/nextStored.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { createStream } from '../../stream/streams.ts';
import { changeStreamsRecord, withLoss, withSetBack, type Loss, type SetBack } from '../../stream/streamsRecord.ts';
import type { LakeParts } from './lakeParts.ts';
import { CARRIED_HEADER, lastCarried } from './carried.ts';
import { acceptedIds } from './parts.ts';

/** Steps after which a test ends the command. */
export const CARRY_STEPS = [
  'noted',
  'sealed',
  'one-copied',
  'copied',
  'deleted',
  'created',
  'one-published',
  'published',
  'cleared',
] as const;

export interface CarryOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  /** Limits of a new stream if nobody knows those of the old one. */
  replicas: number;
  maxBytes: number;
  shards: number;
  shard: number;
  setBack: SetBack;
  lake: LakeParts;
  /** Highest sequence that is surely in the lake. */
  committed: number;
  reach: (step: (typeof CARRY_STEPS)[number]) => void;
}

export interface CarryReport {
  shard: number;
  stream: string;
  /** Messages that the old stream held, and those of them that the lake lacked. */
  held: number;
  moved: number;
  /** Messages that are neither in the lake nor in the stream; absent: none is known. */
  lost?: { from: number; to: number };
}

const ACK_MS = 10_000;
const SUBJECT_HEADER = 'Spor-Subject';
const COPIED = 'spor_copied';

/** Name of the stream that holds the copy. */
export function copyName(shard: number): string {
  return `SPOR_CARRY_${shard}`;
}

/** Moves what one stream holds; safe to repeat after an end at any step. */
export async function carryOver(options: CarryOptions): Promise<CarryReport> {
  const { connection, manager, replicas, shards, shard, setBack, committed, reach } = options;
  const stream = streamName(shard);
  const copy = copyName(shard);
  const place = { shards, replicas };
  await changeStreamsRecord(connection, place, (record) => withSetBack(record, shard, setBack));
  reach('noted');

  const old = await streamInfo(manager, stream);
  const isOld = old?.created === setBack.created;
  if (isOld) {
    // Nobody can write to it any more, not even a receiver that has not read the note.
    await manager.streams.update(stream, { subjects: [`spor.sealed.${shard}`] });
    reach('sealed');
    await copyMissing(options);
    reach('copied');
    await manager.streams.delete(stream);
  }
  reach('deleted');
  const limits = await limitsOf(manager, options);
  await createStream(manager, { name: stream, subjects: streamSubjects(shard) }, { ...limits, shards });
  reach('created');
  const { moved, held } = await publishCopy(options);
  reach('published');

  const lost = setBack.known.sequence > committed ? { from: committed + 1, to: setBack.known.sequence } : undefined;
  const loss = lost && lossOf(stream, setBack, lost);
  await changeStreamsRecord(connection, place, (record) => {
    const { [shard]: _, ...rest } = record.setBack;
    const cleared = { ...record, setBack: rest, moved: [...new Set([...record.moved, setBack.created])] };
    return loss ? withLoss(cleared, loss) : cleared;
  });
  reach('cleared');
  if (await streamInfo(manager, copy)) await manager.streams.delete(copy);
  return { shard, stream, held, moved, ...(lost ? { lost } : {}) };
}

function lossOf(stream: string, { created, at }: SetBack, { from, to }: { from: number; to: number }): Loss {
  return { stream, created, after: from - 1, last: to, at };
}

/** Copies what the lake lacks of each message. */
async function copyMissing({ connection, manager, shard, lake, replicas, reach }: CarryOptions): Promise<void> {
  const [stream, copy, subject] = [streamName(shard), copyName(shard), `spor.carry.${shard}`];
  const { config, state } = await manager.streams.info(stream);
  const metadata = { spor_max_bytes: String(config.max_bytes), spor_replicas: String(config.num_replicas) };
  const made =
    (await streamInfo(manager, copy)) ??
    (await manager.streams.add({
      name: copy,
      subjects: [subject],
      storage: StorageType.File,
      num_replicas: replicas,
      metadata,
    }));
  if (made.config.metadata?.[COPIED] !== undefined) return;
  const client = jetstream(connection);
  for (let next = Math.max(state.first_seq, (await lastCarried(manager, copy)) + 1); ;) {
    const stored = await nextStored(manager, stream, next);
    if (!stored) break;
    next = stored.seq + 1;
    const data = await lake.missing(asStreamMessage(stored));
    if (!data) continue;
    await client.publish(subject, data, { headers: headersOfCopy(stored, data), timeout: ACK_MS });
    reach('one-copied');
  }
  await manager.streams.update(copy, { metadata: { ...metadata, [COPIED]: String(state.messages) } });
}

/** Publishes the copy into the new stream, after the last message that is there. */
async function publishCopy(options: CarryOptions): Promise<{ held: number; moved: number }> {
  const { connection, manager, shard, reach } = options;
  const [stream, copy] = [streamName(shard), copyName(shard)];
  const info = await streamInfo(manager, copy);
  if (!info) return { held: 0, moved: 0 };
  const client = jetstream(connection);
  const last = await lastCarried(manager, stream);
  for (let next = 1; ;) {
    const stored = await nextStored(manager, copy, next);
    if (!stored) break;
    next = stored.seq + 1;
    if (Number(stored.header.get(CARRIED_HEADER)) <= last) continue;
    const fields = headersOf(stored, [SUBJECT_HEADER]);
    await client.publish(stored.header.get(SUBJECT_HEADER), stored.data, { headers: fields, timeout: ACK_MS });
    reach('one-published');
  }
  return { held: Number(info.config.metadata?.[COPIED] ?? 0), moved: info.state.messages };
}

/** Limits of the old stream, as the copy remembers them. */
async function limitsOf(
  manager: JetStreamManager,
  { shard, maxBytes, replicas }: CarryOptions,
): Promise<{ maxBytes: number; replicas: number }> {
  const metadata = (await streamInfo(manager, copyName(shard)))?.config.metadata;
  return {
    maxBytes: Number(metadata?.spor_max_bytes ?? maxBytes),
    replicas: Number(metadata?.spor_replicas ?? replicas),
  };
}

function headersOfCopy(stored: StoredMsg, data: Uint8Array): MsgHdrs {
  const fields = headersOf(stored, []);
  fields.set(SUBJECT_HEADER, stored.subject);
  fields.set(CARRIED_HEADER, String(stored.seq));
  if (data !== stored.data) fields.set(EVENTS_HEADER, String(acceptedIds(data).length));
  return fields;
}

/** Headers of a message without those of the server, and with its place as id. */
function headersOf({ header }: StoredMsg, without: readonly string[]): MsgHdrs {
  const fields = headers();
  for (const [name, values] of header) {
    if (name.startsWith('Nats-') || without.includes(name)) continue;
    for (const value of values) fields.append(name, value);
  }
  return fields;
}
