import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { entryPath, entryVersion } from './log.ts';

type Fields = Record<string, unknown>;

/** A log entry as it is, also with actions that this version does not read. */
export interface RawEntry {
  version: number;
  isOurs: boolean;
  commitInfo: Fields;
  adds: Fields[];
  removes: Fields[];
  txns: Fields[];
  protocol: Fields | undefined;
  metaData: Fields | undefined;
}

/** A commit of a table's log, and who made it. */
export interface HistoryEntry {
  version: number;
  /** ISO 8601; undefined if the writer omits it. */
  at: string | undefined;
  /** Engine and user, as the commit names them. */
  by: string;
  isForeign: boolean;
  operation: string;
  addedFiles: number;
  removedFiles: number;
  /** Rows of the added files; undefined if the log does not say. */
  addedRows: number | undefined;
  /** Whether rows changed; false for a compaction. */
  dataChange: boolean;
  /** Reader and writer version that the commit asks for from now on. */
  protocol: string | undefined;
}

const READS_AT_ONCE = 32;
/** Engine of our commits. */
const ENGINE = 'spor';

/**
 * Read the entries of a log after a version, in order.
 * @param range.newest at most this number of entries, the newest ones
 * @throws LakeError table_corrupt, storage_unavailable
 */
export async function readRawEntries(
  storage: Storage,
  root: string,
  { after = -1, newest = Infinity }: { after?: number; newest?: number } = {},
): Promise<RawEntry[]> {
  const all: number[] = [];
  for await (const { path } of storage.list(`${root}/_delta_log/`)) {
    const version = entryVersion(path.slice(path.lastIndexOf('/') + 1));
    if (version !== undefined && version > after) all.push(version);
  }
  const versions = all.slice(-newest);
  const entries: RawEntry[] = [];
  for (let at = 0; at < versions.length; at += READS_AT_ONCE) {
    const batch = versions.slice(at, at + READS_AT_ONCE);
    entries.push(...(await Promise.all(batch.map((version) => readRawEntry(storage, root, version)))));
  }
  return entries;
}

/** What a commit did, and who made it. Pure. */
export function historyEntry({ version, isOurs, commitInfo, adds, removes, protocol }: RawEntry): HistoryEntry {
  const { timestamp, engineInfo, userName, userId, operation } = commitInfo;
  const rows = adds.map(({ stats }) =>
    typeof stats === 'string' ? (JSON.parse(stats) as { numRecords?: number }).numRecords : undefined,
  );
  const known = rows.every((count) => count !== undefined);
  const names = [engineInfo, userName ?? userId].filter((name) => typeof name === 'string' && name !== '');
  return {
    version,
    at: typeof timestamp === 'number' ? new Date(timestamp).toISOString() : undefined,
    by: names.length > 0 ? names.join(', ') : 'unknown',
    isForeign: !isOurs,
    operation: typeof operation === 'string' ? operation : 'unknown',
    addedFiles: adds.length,
    removedFiles: removes.length,
    addedRows: known ? rows.reduce((sum: number, count) => sum + (count ?? 0), 0) : undefined,
    dataChange: [...adds, ...removes].some(({ dataChange }) => dataChange === true),
    protocol: protocol && `${String(protocol.minReaderVersion)}/${String(protocol.minWriterVersion)}`,
  };
}

async function readRawEntry(storage: Storage, root: string, version: number): Promise<RawEntry> {
  const path = entryPath(root, version);
  const body = await storage.get(path);
  if (!body) throw new LakeError('table_corrupt', `${path} was listed and is not there: the log is being cleaned`);
  return parseRawEntry(Buffer.from(body).toString('utf8'), version, path);
}

/** @throws LakeError table_corrupt */
export function parseRawEntry(text: string, version: number, path: string): RawEntry {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  let actions: Fields[];
  try {
    actions = lines.map((line) => JSON.parse(line) as Fields);
  } catch (error) {
    throw new LakeError('table_corrupt', `${path} is not JSON`, { cause: error });
  }
  const all = (kind: string): Fields[] => actions.flatMap((action) => (action[kind] ? [action[kind] as Fields] : []));
  const commitInfo = all('commitInfo')[0] ?? {};
  return {
    version,
    isOurs: commitInfo.engineInfo === ENGINE,
    commitInfo,
    adds: all('add'),
    removes: all('remove'),
    txns: all('txn'),
    protocol: all('protocol')[0],
    metaData: all('metaData')[0],
  };
}
