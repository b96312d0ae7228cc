import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { createTableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { delay } from '../../runtime/retry.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { shardNumbers, streamName, type ShardRange } from '../../schemas/subjects.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { shardRange } from '../../stream/shardCount.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { streamAppId } from '../../stream/streamState.ts';
import { changeStreamsRecord, readStreamsRecord, withSetBack, type SetBack } from '../../stream/streamsRecord.ts';
import { carryOver, copyName, type CarryOptions, type CarryReport } from './carry.ts';
import { findSetBack, newestCommitted } from './find.ts';
import { LakeParts } from './lakeParts.ts';

export interface CarryRequest {
  connection: NatsConnection;
  storage: Storage;
  localFiles: LocalFiles;
  /** Limits of a new stream if nobody knows those of the old one. */
  replicas: number;
  maxBytes: number;
  /** Only look. */
  dryRun: boolean;
  /** Time in which services read a note and processors end their commits. */
  noticeMs?: number;
  reach: CarryOptions['reach'];
}

/** A stream that is set back. */
export interface FoundSetBack {
  shard: number;
  stream: string;
  setBack: SetBack;
  lake: LakeParts;
  /** Highest sequence of the stream that is surely in the lake. */
  committed: number;
}

const NOTICE_MS = 3_000;
const MEMORY = '512MiB';

/** Finds the streams that are set back, and moves what they hold, one after the other. */
export async function carryOverAll(
  request: CarryRequest,
): Promise<{ found: Pick<FoundSetBack, 'shard' | 'stream' | 'setBack'>[]; moved: CarryReport[] }> {
  const { connection, localFiles, replicas, dryRun, noticeMs = NOTICE_MS } = request;
  const manager = await jetstreamManager(connection);
  const engine = openDuckdb({ memory: MEMORY, threads: 1, spillDir: '' });
  try {
    const range = await shardRange(manager);
    const { shards } = range;
    const found = await findAll(request, manager, { range, reading: { localFiles, engine } });
    const told = found.map(({ shard, stream, setBack }) => ({ shard, stream, setBack }));
    if (dryRun) return { found: told, moved: [] };
    if (found.length > 0) {
      await changeStreamsRecord(connection, { shards, replicas }, (record) =>
        found.reduce((noted, { shard, setBack }) => withSetBack(noted, shard, setBack), record),
      );
      const youngest = Math.max(...found.map(({ setBack }) => Date.parse(setBack.at)));
      await delay(Math.min(noticeMs, youngest + noticeMs - Date.now()));
    }
    const moved: CarryReport[] = [];
    for (const one of found) moved.push(await carryOver({ ...request, ...one, manager, shards }));
    await removeCopies(manager, range);
    return { found: told, moved };
  } finally {
    await engine.close();
  }
}

async function findAll(
  { storage }: CarryRequest,
  manager: JetStreamManager,
  { range, reading }: { range: ShardRange; reading: ConstructorParameters<typeof LakeParts>[1] },
): Promise<FoundSetBack[]> {
  const tables = createTableCache(storage, createRegistry());
  const noted = (await readStreamsRecord(manager))?.setBack ?? {};
  const found: FoundSetBack[] = [];
  for (const shard of shardNumbers(range)) {
    const stream = streamName(shard);
    const created = noted[shard]?.created ?? (await streamInfo(manager, stream))?.created;
    if (created === undefined) continue;
    const lake = new LakeParts(tables, reading, streamAppId({ name: stream, created }));
    const committed = await newestCommitted(lake, { storage, shard, range });
    const setBack = noted[shard] ?? (await findSetBack(manager, shard, committed.newest));
    if (setBack) found.push({ shard, stream, setBack, lake, committed: committed.through });
  }
  return found;
}

/** Removes copies of moves that are complete: nobody notes their streams any more. */
async function removeCopies(manager: JetStreamManager, range: ShardRange): Promise<void> {
  const noted = (await readStreamsRecord(manager))?.setBack ?? {};
  for (const shard of shardNumbers(range)) {
    if (!noted[shard] && (await streamInfo(manager, copyName(shard)))) await manager.streams.delete(copyName(shard));
  }
}
