import type { JetStreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { STREAMS_BUCKET, STREAMS_KEY } from './buckets.ts';
import { compareAndSetRecord } from './compareAndSet.ts';
import type { NatsConnection } from './nats.ts';
import { readRecord } from './readRecord.ts';
import type { ShardRange } from '../schemas/subjects.ts';

/** A message that a stream is known to have held. */
export interface KnownMessage {
  sequence: number;
  /** Store time, in milliseconds since 1970; undefined: unknown. */
  timeMs?: number | undefined;
}

/** A stream that no longer continues its own history. */
export interface SetBack {
  /** Creation time of the stream, which a restored store keeps. */
  created: string;
  /** A message that the stream acknowledged, and no longer holds. */
  known: KnownMessage;
  /** The stream's last sequence when that was noticed. */
  lastSequence: number;
  /** Time of the notice, ISO 8601. */
  at: string;
}

/** Messages that left a stream before they were committed. */
export interface Loss {
  stream: string;
  /** Creation time of the stream that held them. */
  created: string;
  /** Last sequence that is surely in the lake; undefined: unknown. */
  after?: number;
  /** Highest sequence known; undefined: unknown. */
  last?: number;
  /** Time of the notice, ISO 8601. */
  at: string;
}

/** A growth to a new range, which the processors carry out (processor/shards/growth.ts). */
export interface Growth {
  /** Number of shards of the new range. */
  shards: number;
  /** When it was asked for, ISO 8601. */
  at: string;
  /** Receivers hold what comes, and processors flush at once. */
  closing?: boolean;
  /** Why it waits; absent: it does not. */
  waitsFor?: string;
}

/** Facts about all shard streams, which no stream tells by itself. */
export interface StreamsRecord {
  /** Number of shards, which only a growth changes. */
  shards: number;
  /** First shard of the range; absent: 0. The shards before it are closed for good. */
  first?: number;
  /** Ranges of before, oldest first. */
  before?: ShardRange[];
  /** A growth that is wanted or under way; absent: none. */
  growth?: Growth;
  /** Creation times of the streams, by shard. */
  created: Record<number, string>;
  /** Streams found set back, by shard; nobody reads or writes them. */
  setBack: Record<number, SetBack>;
  lost: Loss[];
  /** Creation times of streams whose messages a command has moved. */
  moved: string[];
  /** The backup that the streams were restored from, by its id. */
  restored?: { id: string; complete: boolean };
}

/** Reads the record; undefined if nobody has written it yet. */
export function readStreamsRecord(manager: JetStreamManager): Promise<StreamsRecord | undefined> {
  return readRecord<StreamsRecord>(manager, { bucket: STREAMS_BUCKET, key: STREAMS_KEY });
}

/** The shards in use. */
export function rangeOf({ first = 0, shards }: Pick<StreamsRecord, 'first' | 'shards'>): ShardRange {
  return { first, shards };
}

/** The range that a growth begins: behind the present one. */
export function rangeAfter(record: StreamsRecord, shards: number): ShardRange {
  const { first, shards: present } = rangeOf(record);
  return { first: first + present, shards };
}

/**
 * Changes the record by compare-and-set.
 * @param shards for a record that does not exist yet
 */
export function changeStreamsRecord(
  connection: NatsConnection,
  { shards, replicas }: { shards: number; replicas: number },
  change: (record: StreamsRecord) => StreamsRecord,
): Promise<void> {
  const place = { bucket: STREAMS_BUCKET, key: STREAMS_KEY, replicas };
  const none: StreamsRecord = { shards, created: {}, setBack: {}, lost: [], moved: [] };
  return compareAndSetRecord<StreamsRecord>(connection, place, (recorded) => change(recorded ?? none));
}

/** Writes beside the record, which only a majority of the servers can do. */
export async function touchStreamsRecord(connection: NatsConnection, replicas: number): Promise<void> {
  const kv = await new Kvm(connection).create(STREAMS_BUCKET, { history: 5, replicas });
  await kv.put('touched', new Date().toISOString());
}

/** Notes that a stream is set back, unless that is noted already. Pure. */
export function withSetBack(record: StreamsRecord, shard: number, setBack: SetBack): StreamsRecord {
  if (record.setBack[shard]?.created === setBack.created) return record;
  return { ...record, setBack: { ...record.setBack, [shard]: setBack } };
}

/** Adds a loss, or what is newly known of one. Pure. */
export function withLoss(record: StreamsRecord, loss: Loss): StreamsRecord {
  const same = (other: Loss): boolean => other.stream === loss.stream && other.created === loss.created;
  const before = record.lost.find(same);
  const after = highest(before?.after, loss.after);
  const last = highest(before?.last, loss.last);
  const merged: Loss = {
    ...loss,
    at: before?.at ?? loss.at,
    ...(after === undefined ? {} : { after }),
    ...(last === undefined ? {} : { last }),
  };
  return { ...record, lost: [...record.lost.filter((other) => !same(other)), merged] };
}

function highest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

/** Whether events may be missing: all known messages are surely committed if not. */
export function mayBeMissing({ after, last }: Loss): boolean {
  return after === undefined || last === undefined || last > after;
}
