import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuplicatesOptions } from '../../lake/dedupe/duplicates.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import type { EngineSession } from '../../lake/duckdb/engine.ts';
import { firstKeptDate, retentionDays } from '../../lake/maintenance/retention.ts';
import { filesInScope } from '../../lake/files/prune.ts';
import { fetchLocal } from '../../lake/storage/fetchLocal.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, tableSpec, type TableName } from '../../lake/layout/tables.ts';
import { ShardStreams, type ShardStream } from '../../stream/shardStreams.ts';
import type { StreamState } from '../../stream/streamState.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Registry } from '../../schemas/registry.ts';
import {
  comparePartition,
  differs,
  replayPartitions,
  type PartitionComparison,
  type ReplayPartition,
} from './compare.ts';
import { readErasedBefore, uncounted } from './erased.ts';
import type { ReachReplay } from './failpoint.ts';
import { earliestMs, firstSequenceNeeded, NotHeldError } from './range.ts';
import { rebuild } from './rebuild.ts';
import { CannotSwapError, swap } from './swap.ts';

export interface ReplayOptions {
  connection: NatsConnection;
  storage: Storage;
  session: EngineSession;
  registry: Registry;
  tenantId: string;
  /** First and last date, both included. */
  from: string;
  to: string;
  dedupe: DuplicatesOptions;
  windowBytes: number;
  /** Scratch folder, emptied before each try. */
  dir: string;
  dryRun: boolean;
  /** Swap also partitions with rows that the stream cannot rebuild. */
  acceptLoss: boolean;
  reach: ReachReplay;
  log: Logger;
  onProgress: (facts: { sequence: number; messages: number }) => void;
}

export interface ReplayReport {
  stream: string;
  firstSequence: number;
  lastSequence: number;
  partitions: PartitionComparison[];
  /** After a swap: the id for its undo, and the new table versions. */
  swapped?: { id: string; versions: Partial<Record<TableName, number>> };
}

interface Compared {
  partition: ReplayPartition;
  comparison: PartitionComparison;
}

const MOST_TRIES = 3;

/**
 * Rebuild dates from the stream, and swap partitions that differ.
 * Each table gets one commit. Processors may run: their commits are of later messages, and stay. If a compaction merges a file
 * to replace, everything is read and compared again.
 * @throws NotHeldError, CannotSwapError; TxnConflictError after too many concurrent compactions
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  for (let tries = 1; ; tries++) {
    try {
      return await replayOnce(options);
    } catch (error) {
      if (!(error instanceof TxnConflictError) || tries === MOST_TRIES) throw error;
      options.log.warn({ reason: error.message }, 'the table has changed meanwhile, replaying again');
    } finally {
      await rm(options.dir, { recursive: true, force: true });
    }
  }
}

async function replayOnce(options: ReplayOptions): Promise<ReplayReport> {
  const { storage, registry, tenantId, from, to, session } = options;
  const tables = {
    events: deltaTable(storage, tableSpec('events', tenantId, registry)),
    quarantine: deltaTable(storage, tableSpec('quarantine', tenantId, registry)),
  };
  const { streams, stream, held } = await openHeld(options);
  const { appId } = held;
  const [events, quarantine] = [await tables.events.snapshot(), await tables.quarantine.snapshot()];
  await refuseExpired(options, events);
  const upTo = { events: events.txns.get(appId) ?? 0, quarantine: quarantine.txns.get(appId) ?? 0 };
  const scope = { segmentIds: [], from, to };
  const live = { events: filesInScope(events, scope), quarantine: filesInScope(quarantine, scope) };
  const firstSequence = await sequenceNeeded(options, { streams, stream, held }, [...live.events, ...live.quarantine]);
  await mkdir(options.dir, { recursive: true });
  const erasures = await readErasedBefore(storage, tenantId, options.dir);
  const place = { streams, stream, epoch: held.epoch, from: firstSequence, upTo, events: tables.events };
  const facts = { ...options, ...place, erasures };
  const rebuilt = await rebuild(facts);
  const within = ({ date }: { date: string }): boolean => date >= from && date <= to;
  const [files, erased] = [rebuilt.files.filter(within), rebuilt.erased.filter(within)];
  options.reach('rebuilt');
  const partitions = replayPartitions(live, { files, erased, uncounted: uncounted(erased, erasures) });
  const compared: Compared[] = [];
  for (const partition of partitions) {
    const { spec } = tables[partition.table];
    const localFiles = (files: readonly AddFile[]) => download(storage, spec.root, files, join(options.dir, 'live'));
    compared.push({ partition, comparison: await comparePartition(session, partition, { spec, localFiles }) });
  }
  const report: ReplayReport = {
    stream: stream.name,
    firstSequence,
    lastSequence: Math.max(upTo.events, upTo.quarantine),
    partitions: compared.map(({ comparison }) => comparison),
  };
  const different = compared.filter(({ comparison }) => differs(comparison));
  if (options.dryRun || different.length === 0) return report;
  refuseLoss(report, options);
  const swapped = await swapAll(different, { options, tables, stream, erasures: erasures.list.version });
  return { ...report, swapped };
}

/** The tenant's stream and its range of messages. */
interface HeldStream {
  streams: ShardStreams;
  stream: ShardStream;
  held: StreamState;
}

async function openHeld({ connection, tenantId }: ReplayOptions): Promise<HeldStream> {
  const streams = await ShardStreams.open(connection);
  const stream = await streams.of(tenantId);
  const held = stream && (await streams.state(stream));
  if (!held) throw new NotHeldError('there is no stream to replay from: it was deleted, or nothing was ever received');
  return { streams, stream, held };
}

async function sequenceNeeded(
  { from }: ReplayOptions,
  { streams, stream, held }: HeldStream,
  files: readonly AddFile[],
): Promise<number> {
  const sinceSequence = await streams.firstSince(stream, earliestMs(from));
  return firstSequenceNeeded({ from, files, held, sinceSequence });
}

/** Check that retention has not removed the days. */
async function refuseExpired({ storage, tenantId, from }: ReplayOptions, events: Snapshot): Promise<void> {
  const days = retentionDays(events);
  const firstKept = days === undefined ? '' : firstKeptDate(days, await storage.now());
  if (from >= firstKept) return;
  throw new CannotSwapError(
    `${tenantId} keeps ${days} days (spor retention): dates before ${firstKept} are not rebuilt`,
  );
}

function refuseLoss({ partitions }: ReplayReport, { acceptLoss }: ReplayOptions): void {
  const losing = partitions.filter(({ onlyInLake }) => onlyInLake > 0);
  if (losing.length === 0 || acceptLoss) return;
  const rows = losing.reduce((sum, { onlyInLake }) => sum + onlyInLake, 0);
  const [first] = losing;
  throw new CannotSwapError(
    `${rows} rows of the lake cannot be rebuilt from the stream (${first!.table} ${first!.segment} ${first!.date}` +
      `${losing.length > 1 ? ` and ${losing.length - 1} more partitions` : ''}): nothing was swapped. ` +
      'Look at them with --dry-run --json; --accept-loss swaps nevertheless',
  );
}

async function swapAll(
  compared: readonly Compared[],
  place: { options: ReplayOptions; tables: Record<TableName, Table>; stream: ShardStream; erasures: number },
): Promise<NonNullable<ReplayReport['swapped']>> {
  const { options, tables, stream, erasures } = place;
  const { storage, from, to, reach } = options;
  const id = randomUUID().slice(0, 8);
  const versions: Partial<Record<TableName, number>> = {};
  for (const name of TABLE_NAMES) {
    const own = compared.filter(({ partition }) => partition.table === name);
    if (own.length === 0) continue;
    const partitions = own.map(({ partition }) => partition);
    const holdsErased = own.some(
      ({ comparison: { unreadable, erased, erasedInLake } }) =>
        erasedInLake > 0 || (unreadable !== undefined && erased > 0),
    );
    const table = tables[name];
    const how = { stream: stream.name, erasures, holdsErased, id, from, to, reach };
    const { version } = await swap(partitions, { storage, table, name, ...how });
    versions[name] = version;
  }
  return { id, versions };
}

async function download(storage: Storage, root: string, files: readonly AddFile[], dir: string): Promise<string[]> {
  await mkdir(dir, { recursive: true });
  const paths: string[] = [];
  for (const [index, { path }] of files.entries()) {
    const stored = `${root}/${path}`;
    const file = await fetchLocal(storage, stored, join(dir, `${randomUUID()}-${index}.parquet`));
    if (file === undefined) throw new Error(`IO Error: ${stored} is in the table and not in the storage`);
    paths.push(file);
  }
  return paths;
}
