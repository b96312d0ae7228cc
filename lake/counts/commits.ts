import { parseActions, type Action, type CommitInfo } from '../delta/actions.ts';
import { entryPath, entryVersion } from '../delta/log.ts';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { CommitCounts, ReceivedByDay } from './commitCounts.ts';
import { parseRanges } from './dayCounts.ts';
import { chainOf, foldPath, foldSpan, writeFold, parseFold } from './fold.ts';

const READS_AT_ONCE = 32;
/** A cleanup runs once an hour, so few tries are enough. */
const MAX_TRIES = 3;

/** The counts of a log entry; undefined if it neither adds nor removes events. */
export function countsOf(actions: readonly Action[], version: number): CommitCounts | undefined {
  const info = actions.flatMap((action) => ('commitInfo' in action ? [action.commitInfo] : []))[0];
  const foreign = foreignOf(actions, info);
  if (foreign) return { version, folded: false, days: {}, duplicates: {}, differing: {}, erased: {}, foreign };
  const txn = actions.flatMap((action) => ('txn' in action ? [action.txn] : []))[0];
  if (!info || typeof info.days !== 'object' || info.days === null) return undefined;
  const { days, duplicates, differing, erased, received, firstSequence, lastSequence } = info as Partial<
    Record<string, unknown>
  >;
  const flush =
    txn && typeof firstSequence === 'number' && typeof lastSequence === 'number'
      ? { flush: { appId: txn.appId, firstSequence, lastSequence } }
      : {};
  return {
    version,
    ...flush,
    folded: false,
    days: days as CommitCounts['days'],
    duplicates: texts(duplicates),
    differing: texts(differing),
    erased: texts(erased),
    ...(typeof received === 'object' && received !== null ? { received: received as ReceivedByDay } : {}),
  };
}

/** Changed files of a commit of another tool; undefined for ours, and for one that changes no rows. */
function foreignOf(actions: readonly Action[], info: CommitInfo | undefined): CommitCounts['foreign'] {
  if (info?.engineInfo === 'spor') return undefined;
  const added = actions.flatMap((action) => ('add' in action && action.add.dataChange ? [action.add.path] : []));
  const removed = actions.flatMap((action) =>
    'remove' in action && action.remove.dataChange ? [action.remove.path] : [],
  );
  if (added.length + removed.length === 0) return undefined;
  const { engineInfo, operation } = info ?? {};
  const named = (value: unknown): string => (typeof value === 'string' ? value : 'an unknown tool');
  return { by: named(engineInfo), operation: named(operation), added, removed };
}

function texts(value: unknown): Record<string, string> {
  return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
}

/** One place with counts of a table: a log entry, or a file of folded entries. */
interface Place {
  path: string;
  version: number;
  isFold: boolean;
  modifiedMs: number;
}

/**
 * Reads a table's counts in the order of its log, folded ones first.
 * @param sinceMs leaves out entries written before this time (milliseconds since 1970), but never folded ones
 * @throws LakeError storage_unavailable, table_corrupt
 */
export function readCommitCounts(storage: Storage, root: string, sinceMs = 0): Promise<CommitCounts[]> {
  return afterCleaning(async () => {
    const places = await listPlaces(storage, root);
    return readPlaces(
      storage,
      places.filter(({ isFold, modifiedMs }) => isFold || modifiedMs >= sinceMs),
    );
  });
}

/**
 * Reads the counts of the entries after a version, up to another one.
 *
 * @returns undefined if some of these entries are folded already
 * @throws LakeError storage_unavailable, table_corrupt
 */
export function readCountsBetween(
  storage: Storage,
  root: string,
  { after, upTo }: { after: number; upTo: number },
): Promise<CommitCounts[] | undefined> {
  if (upTo <= after) return Promise.resolve([]);
  return afterCleaning(async () => {
    const folded = (await listFolds(storage, root)).at(-1)?.version ?? -1;
    if (folded > after) return undefined;
    const versions = Array.from({ length: upTo - after }, (_, index) => after + 1 + index);
    const places = versions.map((version) => ({
      path: entryPath(root, version),
      version,
      isFold: false,
      modifiedMs: 0,
    }));
    return readPlaces(storage, places);
  });
}

/** Positions of a batch's events that a commit names. */
export function positionsOf(named: Record<string, string>, receiptId: string): number[] {
  return Object.hasOwn(named, receiptId) ? parseRanges(named[receiptId]!) : [];
}

/**
 * Folds the counts of entries before a version, ahead of a cleanup.
 * @throws LakeError storage_unavailable, table_corrupt: then the entries must stay
 */
export async function foldCountsBefore(storage: Storage, root: string, version: number): Promise<void> {
  const places = await listPlaces(storage, root);
  const after = places.findLast(({ isFold }) => isFold)?.version ?? -1;
  const entries = places.filter((place) => !place.isFold && place.version < version);
  if (entries.length === 0) return;
  const counts = await readPlaces(storage, entries);
  await writeFold(storage, root, { after, version: version - 1, counts });
}

/** An entry was deleted since it was listed; a fold has its counts by now. */
class LogCleanedError extends LakeError {
  constructor(message: string) {
    super('storage_unavailable', message);
  }
}

/** Repeats a task that met an entry which a cleanup was deleting. */
async function afterCleaning<T>(task: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof LogCleanedError) || tries === MAX_TRIES) throw error;
    }
  }
}

/** The fold files that together hold each deleted entry once, in order. */
export async function listFolds(storage: Storage, root: string): Promise<Place[]> {
  const folds: (Place & { after: number })[] = [];
  for await (const { path, modified } of storage.list(foldPath(root, ''))) {
    const span = foldSpan(path);
    if (span) folds.push({ path, ...span, isFold: true, modifiedMs: modified.getTime() });
  }
  return chainOf(folds);
}

async function listPlaces(storage: Storage, root: string): Promise<Place[]> {
  const entries: Place[] = [];
  for await (const { path, modified } of storage.list(`${root}/_delta_log/`)) {
    const version = entryVersion(path.slice(path.lastIndexOf('/') + 1));
    if (version !== undefined) entries.push({ path, version, isFold: false, modifiedMs: modified.getTime() });
  }
  const chain = await listFolds(storage, root);
  // Entries that are folded and not deleted yet would count twice.
  const folded = chain.at(-1)?.version ?? -1;
  const rest = entries.filter(({ version }) => version > folded).sort((a, b) => a.version - b.version);
  return [...chain, ...rest];
}

async function readPlaces(storage: Storage, places: readonly Place[]): Promise<CommitCounts[]> {
  const counts: CommitCounts[] = [];
  for (let at = 0; at < places.length; at += READS_AT_ONCE) {
    const read = await Promise.all(places.slice(at, at + READS_AT_ONCE).map((place) => readPlace(storage, place)));
    counts.push(...read.flat());
  }
  return counts;
}

/** @throws LakeError table_corrupt; storage_unavailable, also if a cleanup deleted the entry since it was listed */
export async function readPlace(storage: Storage, { path, version, isFold }: Place): Promise<CommitCounts[]> {
  const body = await storage.get(path);
  if (!body) throw new LogCleanedError(`${path} was listed and is not there: the log is being cleaned`);
  const text = Buffer.from(body).toString('utf8');
  if (isFold) return parseFold(text, version, path);
  const counts = countsOf(parseActions(text, path), version);
  return counts ? [counts] : [];
}
