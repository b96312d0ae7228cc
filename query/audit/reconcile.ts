import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { delay } from '../../runtime/retry.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import { idFile } from '../../lake/dedupe/plan.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { SqlRow, SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { tableRoot, type TableName } from '../../lake/layout/tables.ts';
import { parseRanges } from '../../lake/counts/dayCounts.ts';
import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import { readCommitCounts } from '../../lake/counts/commits.ts';
import { checkedFrom, LineWriter, writeExpected, type CheckedTable, type Days } from './expected.ts';
import { loadStatements, SELECT_DAYS, selectCommits, selectDifferences } from './reconcileSql.ts';
import { sumDays, type DayAudit } from './dayAudit.ts';
import { positionOf } from '../../lake/delta/positions.ts';
import { committedSequence } from './committed.ts';
import { foreignChanges, foreignFiles, loadForeignRows, nameForeign, type ForeignChange } from './foreign.ts';
import { findStreamFault, type StreamFault } from './streamFault.ts';
import type { ShardStream, ShardStreams } from '../../stream/shardStreams.ts';
import type { StreamState } from '../../stream/streamState.ts';
import { DAY_MS } from '../../runtime/units.ts';

/** A difference between stream, commits and tables. */
export interface Difference {
  date: string;
  /** Receipt of the batch; absent if only a commit can be named. */
  receiptId?: string;
  /**
   * Kind of the difference:
   * - `missing`: an accepted event without a row.
   * - `doubled`: an event in several rows.
   * - `unexpected`: rows of events that were never accepted.
   * - `foreign`: rows that another tool added or removed.
   * - `commit`: a commit older than the stream with another number of rows than it recorded.
   */
  kind: 'missing' | 'doubled' | 'unexpected' | 'foreign' | 'commit';
  table: TableName;
  events: number;
  message: string;
}

export interface Reconciliation {
  tenantId: string;
  from: string;
  to: string;
  /** Versions of the tables that were counted. */
  versions: Record<TableName, number>;
  /** First message counted in the stream itself; commits count the earlier ones. */
  streamFrom?: number;
  days: DayAudit[];
  balanced: boolean;
  differences: Difference[];
  /** Number of differences, including unlisted ones. */
  differencesInAll: number;
  /** Acknowledged events are missing that no count can tell. */
  streamFault?: StreamFault;
  /** Commits of other tools that changed rows, as far as the log still has them. */
  foreign: ForeignChange[];
  /** Data files that differ from their log entries. */
  faults: { file: string; fault: string }[];
}

export interface ReconcileSources {
  storage: Storage;
  tables: TableCache;
  localFiles: LocalFiles;
  streams: ShardStreams;
  memoryMb: number;
}

const LISTED = 1_000;
/**
 * Number of tries.
 *
 * Events and quarantine are two commits, so a read between them, or one with a difference, is repeated.
 */
const LOOKS = 3;
const LOOK_AGAIN_MS = 500;

/**
 * Compare accepted events with the tables, by day of receipt.
 *
 * accepted = stored + duplicate + quarantined + erased + expired + pending
 *
 * Accepted events are counted from the stream's messages, or from the commits if the stream no longer has them. Stored and
 * quarantined ones are counted in the data files of one snapshot. The commits count duplicates, erased and expired ones.
 *
 * Pending events come after the shard's committed position. No processor reads earlier messages again, so an event that a table
 * lacks there is missing. A difference is named by receipt if the stream or the rows have one, and otherwise by commit.
 *
 * Days of receipt go by receivers' clocks, and log entries by the store's. So no difference is reported before the whole log
 * was read.
 * @throws LakeError storage_unavailable, tables_too_large; StreamUnavailableError
 */
export async function reconcile(tenantId: string, days: Days, sources: ReconcileSources): Promise<Reconciliation> {
  for (let look = 1; ; look++) {
    const sinceMs = look === LOOKS ? 0 : Date.parse(`${days.from}T00:00:00Z`) - DAY_MS;
    const found = await lookOnce(tenantId, days, { ...sources, sinceMs });
    if (found.balanced || look === LOOKS) return found;
    await delay(LOOK_AGAIN_MS);
  }
}

/**
 * The compared parts, read in order: committed position, tables, logs, stream.
 *
 * A position read after the tables would make newly committed messages look missing.
 */
interface Evidence {
  tables: Record<TableName, CheckedTable & { accounts: CommitCounts[] }>;
  place: ShardStream | undefined;
  stream: StreamState | undefined;
  streamFault: StreamFault | undefined;
}

/** What one look reads; earlier log entries are left out. */
interface Look extends ReconcileSources {
  /** Store time, in milliseconds since 1970. */
  sinceMs: number;
}

async function gather(tenantId: string, sources: Look): Promise<Evidence> {
  const place = await sources.streams.of(tenantId);
  const before = place && (await sources.streams.committed(place, tenantId));
  const read = async (name: TableName) => {
    const snapshot = await sources.tables(name, tenantId).snapshot();
    const accounts = await readCommitCounts(sources.storage, tableRoot(name, tenantId), sources.sinceMs);
    return {
      snapshot,
      accounts: accounts.filter(({ version }) => version <= snapshot.version),
      from: Infinity,
      committed: 0,
    };
  };
  const [events, quarantine] = [await read('events'), await read('quarantine')];
  const stream = place && (await sources.streams.state(place));
  for (const table of stream ? [events, quarantine] : []) {
    table.from = checkedFrom(table.accounts, stream!);
    // A stream recreated in between has no committed position yet.
    const position = stream!.created === before?.created ? before.floor : 0;
    table.committed = committedSequence(table.snapshot, stream!.appId, position);
  }
  const streamFault =
    place &&
    stream &&
    (await findStreamFault(sources.streams, place.shard, stream, positionOf(events.snapshot, stream.appId)));
  return { tables: { events, quarantine }, place, stream, streamFault };
}

async function lookOnce(tenantId: string, days: Days, sources: Look): Promise<Reconciliation> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-reconcile-'));
  const engine = openDuckdb({ memory: `${sources.memoryMb}MiB`, threads: 2, spillDir: join(dir, 'spill') });
  const session = engine.session();
  try {
    const evidence = await gather(tenantId, sources);
    const { tables, place, stream } = evidence;
    const files = { expected: join(dir, 'expected'), named: join(dir, 'named'), commits: join(dir, 'commits') };
    if (stream && place)
      await writeExpected(files.expected, { tenantId, days }, { ...sources, ...tables, stream, place });
    else await (await LineWriter.open(files.expected)).close();
    await writeNamed(files.named, tables);
    await writeCommits(files.commits, { days, tables, stream });
    const faults = await load(session, { tenantId, days, files, tables }, sources);
    const found = await findDifferences(session, evidence);
    const differences = { ...found, listed: await nameForeign(session, found.listed, tables) };
    const summed = sumDays(await session.run(SELECT_DAYS), { days, tables, stream });
    const { streamFault } = evidence;
    const counted = differences.all === 0 && summed.every((day) => day.difference === 0);
    const balanced = counted && faults.length === 0 && !streamFault;
    return {
      tenantId,
      ...days,
      versions: { events: tables.events.snapshot.version, quarantine: tables.quarantine.snapshot.version },
      ...(stream ? { streamFrom: tables.events.from } : {}),
      days: summed,
      balanced,
      differences: differences.listed,
      differencesInAll: differences.all,
      ...(streamFault ? { streamFault } : {}),
      foreign: foreignChanges(tables),
      faults,
    };
  } finally {
    await session.close();
    await engine.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Write the duplicates and erased events that commits record for each batch. */
async function writeNamed(file: string, tables: Evidence['tables']): Promise<void> {
  const lines = await LineWriter.open(file);
  for (const { duplicates, erased } of tables.events.accounts) {
    for (const [r, text] of Object.entries(duplicates))
      await lines.write({ r, duplicate: parseRanges(text).length, erased: 0, refusedErased: 0 });
    for (const [r, text] of Object.entries(erased))
      await lines.write({ r, duplicate: 0, erased: parseRanges(text).length, refusedErased: 0 });
  }
  for (const { erased } of tables.quarantine.accounts) {
    for (const [r, text] of Object.entries(erased))
      await lines.write({ r, duplicate: 0, erased: 0, refusedErased: parseRanges(text).length });
  }
  await lines.close();
}

/** Write the rows by day of commits that the stream no longer holds. */
async function writeCommits(
  file: string,
  { days, tables, stream }: Pick<Evidence, 'tables' | 'stream'> & { days: Days },
): Promise<void> {
  const { accounts, from } = tables.events;
  const lines = await LineWriter.open(file);
  const lastOf = new Map<string, number>();
  for (const { version, flush, folded, days: counts } of accounts) {
    if (!flush) continue;
    const { appId, firstSequence, lastSequence: last } = flush;
    const first = Math.max(firstSequence, (lastOf.get(appId) ?? 0) + 1);
    lastOf.set(appId, last);
    // Folded commits have only sums by day, and no ranges of their own.
    const comparable = !folded && !(appId === stream?.appId && last >= from);
    for (const [day, { accepted = 0, duplicate = 0, setAside = 0 }] of Object.entries(counts)) {
      if (!comparable || day < days.from || day > days.to) continue;
      const epoch = streamEpoch(appId.slice(appId.indexOf('@') + 1)).toString(36);
      await lines.write({ version, epoch, first, last, day, stored: accepted - duplicate - setAside });
    }
  }
  await lines.close();
}

/** Load all evidence into the session. Returns files that differ from the log. */
async function load(
  session: SqlSession,
  given: {
    tenantId: string;
    days: Days;
    files: { expected: string; named: string; commits: string };
    tables: Evidence['tables'];
  },
  { storage, localFiles }: ReconcileSources,
): Promise<Reconciliation['faults']> {
  const { tenantId, days, files, tables } = given;
  const faults: Reconciliation['faults'] = [];
  const readable = async (name: TableName) => {
    const root = tableRoot(name, tenantId);
    const wanted = [...tables[name].snapshot.files.values()].filter((file) => mayHoldDays(file, days));
    const found = await sizesOf(storage, root, wanted);
    return wanted.filter((file) => {
      const size = found.get(file.path);
      if (size === file.size) return true;
      const fault = size === undefined ? 'is not in the store' : `has ${size} bytes, the log says ${file.size}`;
      faults.push({ file: `${root}/${file.path}`, fault });
      return size !== undefined && storage.localPath(`${root}/${file.path}`) !== undefined;
    });
  };
  const events = await localFiles.lease(tableRoot('events', tenantId), await readable('events'));
  try {
    const quarantine = await localFiles.lease(tableRoot('quarantine', tenantId), await readable('quarantine'));
    try {
      const mixed = foreignChanges(tables).length > 0;
      const rows = { events: [...events.paths.values()], quarantine: [...quarantine.paths.values()] };
      for (const statement of loadStatements({ ...files, rows, days, mixed })) await session.run(statement);
      const foreign = (name: TableName, paths: ReadonlyMap<string, string>): string[] =>
        [...foreignFiles(tables[name].accounts)].flatMap((path) => paths.get(path) ?? []);
      await loadForeignRows(session, [...foreign('events', events.paths), ...foreign('quarantine', quarantine.paths)]);
    } finally {
      await quarantine.release();
    }
  } finally {
    await events.release();
  }
  return faults;
}

function mayHoldDays(file: AddFile, { from, to }: Days): boolean {
  const { minReceivedMs, maxReceivedMs } = idFile(file);
  return maxReceivedMs >= Date.parse(`${from}T00:00:00Z`) && minReceivedMs < Date.parse(`${to}T00:00:00Z`) + DAY_MS;
}

/** Sizes of data files in the storage. */
async function sizesOf(storage: Storage, root: string, files: readonly AddFile[]): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const folder of new Set(files.map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)))) {
    for await (const { path, size } of storage.list(`${root}/${folder}`)) sizes.set(path.slice(root.length + 1), size);
  }
  return sizes;
}

async function findDifferences(
  session: SqlSession,
  { tables, stream }: Evidence,
): Promise<{ all: number; listed: Difference[] }> {
  const epoch = stream?.epoch.toString(36) ?? 'none';
  const far = Number.MAX_SAFE_INTEGER;
  const expired = (name: TableName): string[] =>
    tables[name].accounts.flatMap(({ days }) => Object.keys(days).filter((day) => (days[day]!.expired ?? 0) > 0));
  const held = {
    epoch,
    expired: { events: expired('events'), quarantine: expired('quarantine') },
    from: Math.min(far, tables.events.from),
    quarantineFrom: Math.min(far, tables.quarantine.from),
  };
  const rows = await session.run(selectDifferences(held, LISTED));
  const commits = await session.run(selectCommits(held, LISTED));
  const listed = [...rows.flatMap(differencesOf), ...commits.map(commitDifference)];
  return { all: Number(rows[0]?.total ?? 0) + commits.length, listed };
}

/** Describe a batch's row of selectDifferences; it may have several faults. */
function differencesOf(row: SqlRow): Difference[] {
  const count = (name: string): number => Number(row[name]);
  const found = `${count('accepted')} accepted, ${count('stored_rows')} rows, ${count('duplicate')} duplicate, ${count('unstorable_rows')} unstorable, ${count('erased')} erased`;
  const at = { date: String(row.day), receiptId: String(row.r) };
  const differences: Difference[] = [];
  const add = (kind: Difference['kind'], table: TableName, events: number, message: string): void => {
    if (events > 0) differences.push({ ...at, kind, table, events, message });
  };
  add('doubled', 'events', count('doubled'), `events are in several rows: ${found}`);
  add('missing', 'events', count('lacking'), `accepted events are missing: ${found}`);
  add(
    'unexpected',
    'events',
    -count('lacking'),
    row.held ? `more rows than events: ${found}` : 'the stream has no such batch',
  );
  const refused = `${count('refused')} rejected, ${count('refused_rows')} rows`;
  add('missing', 'quarantine', count('refused_lacking'), `rejected events are missing: ${refused}`);
  add('unexpected', 'quarantine', -count('refused_lacking'), `more rows than rejected events: ${refused}`);
  return differences;
}

function commitDifference(row: SqlRow): Difference {
  const expected = Number(row.expected);
  const found = Number(row.found);
  const gaps = typeof row.gaps === 'string' ? `; receipts with gaps: ${row.gaps}` : '; whole batches are affected';
  return {
    date: String(row.day),
    kind: 'commit',
    table: 'events',
    events: Math.abs(expected - found),
    message: `version ${String(row.version)}, of messages ${String(row.first)} to ${String(row.last)}, wrote ${expected} rows, of which ${found} are stored${gaps}`,
  };
}
