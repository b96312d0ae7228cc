import { parseActions } from '../../lake/delta/actions.ts';
import { entryPath } from '../../lake/delta/log.ts';
import { LakeError } from '../../lake/errors.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import { countsOf, listFolds, readPlace } from '../../lake/counts/commits.ts';
import { parseRanges } from '../../lake/counts/dayCounts.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';

const READS_AT_ONCE = 32;
/** Tables whose erased positions stay in memory. */
const MOST_TABLES = 64;

/** Positions read so far of one table. */
interface Known {
  /** Every entry up to this version is read. */
  through: number;
  /** Paths of the folds read. */
  folds: Set<string>;
  /** Positions by receipt, as formatRanges writes them. */
  erased: Map<string, string>;
}

/**
 * Positions of events that erasures removed, by receipt.
 *
 * Only the commits of erasures name them, anywhere in a table's log. Each entry is therefore read once, and its
 * positions are kept. One question reads a bounded number of entries, and the next one goes on from there.
 */
export class ErasedPositions {
  readonly #storage: Storage;
  readonly #mostReads: number;
  readonly #tables = new Map<string, Known>();

  /** @param options.mostReads entries that one question reads at most */
  constructor({ storage, mostReads }: { storage: Storage; mostReads: number }) {
    this.#storage = storage;
    this.#mostReads = mostReads;
  }

  /**
   * Positions of a receipt in a table up to a version.
   * @throws LakeError receipt_reading if the log has more new entries than one question may read
   */
  async of(root: string, receiptId: string, version: number): Promise<number[]> {
    const known = this.#known(root);
    await this.#readFolds(root, known);
    const last = Math.min(version, known.through + this.#mostReads);
    for (let at = known.through + 1; at <= last; at += READS_AT_ONCE) {
      const count = Math.min(READS_AT_ONCE, last - at + 1);
      const read = await Promise.all(Array.from({ length: count }, (_, index) => this.#read(root, at + index)));
      for (const counts of read) note(known, counts);
      known.through = Math.max(known.through, at + count - 1);
    }
    if (known.through < version)
      throw new LakeError('receipt_reading', LAKE_ERRORS.receipt_reading.help, { retryAfterSeconds: 1 });
    return parseRanges(known.erased.get(receiptId) ?? '');
  }

  #known(root: string): Known {
    const known = this.#tables.get(root) ?? { through: -1, folds: new Set(), erased: new Map() };
    // A Map keeps the order of insertion, so its first entry is the least recently used.
    this.#tables.delete(root);
    this.#tables.set(root, known);
    if (this.#tables.size > MOST_TABLES) this.#tables.delete(this.#tables.keys().next().value!);
    return known;
  }

  /** Reads the folded counts of entries that log cleanup has deleted, or may delete now. */
  async #readFolds(root: string, known: Known): Promise<void> {
    for (const fold of await listFolds(this.#storage, root)) {
      if (fold.version <= known.through || known.folds.has(fold.path)) continue;
      for (const counts of await readPlace(this.#storage, fold)) note(known, counts);
      known.folds.add(fold.path);
      known.through = fold.version;
    }
  }

  async #read(root: string, version: number): Promise<CommitCounts | undefined> {
    const path = entryPath(root, version);
    const body = await this.#storage.get(path);
    return body && countsOf(parseActions(Buffer.from(body).toString('utf8'), path), version);
  }
}

function note(known: Known, counts: CommitCounts | undefined): void {
  for (const [receiptId, positions] of Object.entries(counts?.erased ?? {}))
    known.erased.set(receiptId, [known.erased.get(receiptId), positions].filter(Boolean).join(','));
}
