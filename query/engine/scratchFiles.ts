import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LakeError } from '../../lake/errors.ts';
import type { Json } from '../formats/values.ts';

/** A file that was made for several queries, held until it is released. */
export interface HeldFile {
  path: string;
  /** Rows that its maker reported. */
  facts: readonly Json[][];
  release: () => void;
}

/** Files made from data files, by what they depend on. */
export interface ScratchFiles {
  /** Whether a file of the key is there or is being made. */
  has(key: string): boolean;
  /** A path for a new file. */
  newPath(): string;
  /**
   * Holds the file of a key; without one, `make` writes it to `path` and reports rows.
   *
   * Callers of one key share one `make`, and its error. A make that needed too much memory is not tried again for a
   * while.
   */
  hold(key: string, path: string, make: () => Promise<readonly Json[][]>): Promise<HeldFile>;
  close(): void;
}

export interface ScratchLimits {
  /** Bytes of all files. Files in use may exceed it. */
  totalBytes: number;
  /** Longest time a file is kept: who was erased is in no file for longer. */
  ageMs: number;
}

interface Kept {
  key: string;
  path: string;
  made: Promise<readonly Json[][]>;
  bytes: number;
  users: number;
  /** No new user; the file is removed after the last one. */
  dropped: boolean;
  age: NodeJS.Timeout;
}

/** Codes of failures that the same work would meet again. */
const AT_A_LIMIT: ReadonlySet<string> = new Set(['query_out_of_memory', 'query_crashed']);
const GIB = 1_073_741_824;
const LIMITS: ScratchLimits = { totalBytes: GIB, ageMs: 600_000 };

/** Creates scratch files in a folder; the least recently used leave first. */
export function createScratchFiles(dir: string, limits: ScratchLimits = LIMITS): ScratchFiles {
  const files = new Map<string, Kept>();
  /** Errors of keys that are not tried again yet. */
  const failed = new Map<string, { error: unknown; age: NodeJS.Timeout }>();
  let total = 0;

  const remove = (kept: Kept): void => {
    if (!kept.dropped || kept.users > 0) return;
    total -= kept.bytes;
    kept.bytes = 0;
    // Left over at worst until the end of the process, which removes the folder.
    rm(kept.path, { force: true }).catch(() => undefined);
  };
  const drop = (kept: Kept): void => {
    if (files.get(kept.key) === kept) files.delete(kept.key);
    clearTimeout(kept.age);
    kept.dropped = true;
    remove(kept);
  };
  const shrink = (): void => {
    for (const kept of files.values()) {
      if (total <= limits.totalBytes) return;
      if (kept.users === 0) drop(kept);
    }
  };
  const begin = (key: string, path: string, make: () => Promise<readonly Json[][]>): Kept => {
    const age = setTimeout(() => drop(kept), limits.ageMs).unref();
    const kept: Kept = { key, path, made: make(), bytes: 0, users: 0, dropped: false, age };
    files.set(key, kept);
    kept.made
      .then(async () => {
        const { size } = await stat(path);
        if (kept.dropped && kept.users === 0) return;
        kept.bytes = size;
        total += size;
        shrink();
      })
      .catch((error: unknown) => {
        drop(kept);
        if (!(error instanceof LakeError) || !AT_A_LIMIT.has(error.code)) return;
        failed.set(key, { error, age: setTimeout(() => failed.delete(key), limits.ageMs).unref() });
      });
    return kept;
  };

  return {
    has: (key) => files.has(key),
    newPath: () => join(dir, `${randomUUID()}.parquet`),
    hold: async (key, path, make) => {
      const past = failed.get(key);
      if (past) throw past.error;
      const kept = files.get(key) ?? begin(key, path, make);
      kept.users++;
      files.delete(key);
      if (!kept.dropped) files.set(key, kept); // the last in order is the last used
      let held = true;
      const release = (): void => {
        if (!held) return;
        held = false;
        kept.users--;
        remove(kept);
        shrink();
      };
      try {
        return { path: kept.path, facts: await kept.made, release };
      } catch (error) {
        release();
        throw error;
      }
    },
    close: () => {
      for (const kept of files.values()) drop(kept);
      for (const { age } of failed.values()) clearTimeout(age);
    },
  };
}

/** Waits for held files; if one fails, the others are released. */
export async function holdAll(holding: readonly Promise<HeldFile>[]): Promise<HeldFile[]> {
  const settled = await Promise.allSettled(holding);
  const held = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = settled.find((one) => one.status === 'rejected');
  if (!failed) return held;
  held.forEach(({ release }) => release());
  throw failed.reason;
}
