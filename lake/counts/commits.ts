import { parseActions, type Action } from '../delta/actions.ts';
import { entryVersion } from '../delta/log.ts';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { parseRanges } from './dayCounts.ts';
import { chainOf, foldPath, foldSpan, keepFold, parseFold } from './fold.ts';

/** Counts of one day of receipt, as a commit or several say. Absent: none. */
export type DayCounts = Partial<
  Record<'accepted' | 'duplicate' | 'setAside' | 'quarantined' | 'erased' | 'expired', number>
>;

/**
 * What one log entry, or several folded into one, say of the events they brought or took away. Fields of `commitInfo`:
 * `days` (counts by UTC date of receipt), `duplicates` and `erased` (positions by receipt, as formatRanges writes them),
 * `firstSequence` and `lastSequence`. A commit that takes rows away on purpose must count them: `erased` where a person was
 * erased, `expired` where a day's time was over.
 */
export interface CommitCounts {
  /** Version of the entry; of folded ones the last. */
  version: number;
  /** Of a flush: the stream, and which of its messages it held. */
  flush?: { appId: string; firstSequence: number; lastSequence: number };
  /** Whether it is of several commits, whose sequences cannot be told apart any more. */
  folded: boolean;
  days: Record<string, DayCounts>;
  duplicates: Record<string, string>;
  erased: Record<string, string>;
}

const READS_AT_ONCE = 32;
/** Logs are cleaned once an hour: an entry is gone once, seldom twice. */
const MAX_TRIES = 3;

/** The account of a log entry; undefined where it brings and takes away nothing. */
export function countsOf(actions: readonly Action[], version: number): CommitCounts | undefined {
  const info = actions.flatMap((action) => ('commitInfo' in action ? [action.commitInfo] : []))[0];
  const txn = actions.flatMap((action) => ('txn' in action ? [action.txn] : []))[0];
  if (!info || typeof info.days !== 'object' || info.days === null) return undefined;
  const { days, duplicates, erased, firstSequence, lastSequence } = info as Partial<Record<string, unknown>>;
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
    erased: texts(erased),
  };
}

function texts(value: unknown): Record<string, string> {
  return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
}

/** One place of a table's accounts: a log entry, or a file of folded ones. */
interface Place {
  path: string;
  version: number;
  isFold: boolean;
  modifiedMs: number;
}

/**
 * A table's accounts, in the order of the log: those of entries that have been cleaned away, then those of the log.
 * @param sinceMs entries written before, in milliseconds since 1970, are left out; folded ones never
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

/** Positions of a batch's events that an account names. */
export function positionsOf(named: Record<string, string>, receiptId: string): number[] {
  return Object.hasOwn(named, receiptId) ? parseRanges(named[receiptId]!) : [];
}

/**
 * Keeps what entries before a version say, before they are deleted.
 * @throws LakeError storage_unavailable, table_corrupt: then they must stay
 */
export async function foldBefore(storage: Storage, root: string, version: number): Promise<void> {
  const places = await listPlaces(storage, root);
  const after = places.findLast(({ isFold }) => isFold)?.version ?? -1;
  const entries = places.filter((place) => !place.isFold && place.version < version);
  if (entries.length === 0) return;
  const accounts = await readPlaces(storage, entries);
  await keepFold(storage, root, { after, version: version - 1, accounts });
}

/** An entry is gone since it was listed; what it said is in a fold by now. */
class LogCleanedError extends LakeError {
  constructor(message: string) {
    super('storage_unavailable', message);
  }
}

/** Repeats what has met an entry that was being cleaned away. */
async function afterCleaning<T>(task: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof LogCleanedError) || tries === MAX_TRIES) throw error;
    }
  }
}

/** The files of folded accounts that together hold each cleaned entry once, in order. */
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
  // Entries that are folded already and not deleted yet would count twice.
  const folded = chain.at(-1)?.version ?? -1;
  const rest = entries.filter(({ version }) => version > folded).sort((a, b) => a.version - b.version);
  return [...chain, ...rest];
}

async function readPlaces(storage: Storage, places: readonly Place[]): Promise<CommitCounts[]> {
  const accounts: CommitCounts[] = [];
  for (let at = 0; at < places.length; at += READS_AT_ONCE) {
    const read = await Promise.all(places.slice(at, at + READS_AT_ONCE).map((place) => readPlace(storage, place)));
    accounts.push(...read.flat());
  }
  return accounts;
}

/** @throws LakeError table_corrupt; storage_unavailable, also where an entry has been cleaned away since it was listed */
export async function readPlace(storage: Storage, { path, version, isFold }: Place): Promise<CommitCounts[]> {
  const body = await storage.get(path);
  if (!body) throw new LogCleanedError(`${path} was listed and is not there: the log is being cleaned`);
  const text = Buffer.from(body).toString('utf8');
  if (isFold) return parseFold(text, version, path);
  const account = countsOf(parseActions(text, path), version);
  return account ? [account] : [];
}
