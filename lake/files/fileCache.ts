import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AddFile } from '../delta/actions.ts';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { LeaseFolders } from './leaseFolders.ts';
import type { FileLease, LocalFiles } from './localFiles.ts';

const DOWNLOADS_AT_ONCE = 8;
/** Share of the limit left after an eviction, to delay the next. */
const KEEP_SHARE = 0.9;

/**
 * Opens a disk cache of a lake's data files in S3.
 *
 * The least recently used files are evicted first. Lake files never change, so a cached file is always right.
 *
 *     <folder>/<hash of the lake's URL>/files/<path>      finished files; their time is their last use
 *                                      /filling/<uuid>    downloads under way, renamed when whole
 *                                      /leases/<process>-<uuid>/<path>   hard links one query reads
 *
 * Several processes may share the folder. A query reads its own hard links, so no eviction takes a file from it.
 */
export async function openFileCache(options: {
  storage: Storage;
  folder: string;
  maxBytes: number;
}): Promise<LocalFiles> {
  const name = createHash('sha256').update(options.storage.url).digest('hex').slice(0, 16);
  const folder = join(options.folder, name);
  const leases = await LeaseFolders.open(join(folder, 'leases'));
  const cache = new FileCache({ ...options, folder, leases });
  await cache.open();
  return cache;
}

class FileCache implements LocalFiles {
  readonly #storage: Storage;
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #leases: LeaseFolders;
  readonly #filling = new Map<string, Promise<void>>();
  /** Bytes in the folder at its last measurement, plus those added since. */
  #bytes = 0;
  #evicting: Promise<void> | undefined;

  constructor({
    storage,
    folder,
    maxBytes,
    leases,
  }: {
    storage: Storage;
    folder: string;
    maxBytes: number;
    leases: LeaseFolders;
  }) {
    this.#leases = leases;
    this.#storage = storage;
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  async open(): Promise<void> {
    for (const part of ['files', 'filling']) await mkdir(join(this.#folder, part), { recursive: true });
    await removeOld(join(this.#folder, 'filling'));
    await this.#evict();
  }

  async lease(root: string, files: readonly AddFile[]): Promise<FileLease> {
    const needed = files.reduce((sum, { size }) => sum + size, 0);
    if (needed > this.#maxBytes) {
      throw new LakeError(
        'tables_too_large',
        `The query may read ${megabytes(needed)} MB of files and the local cache holds ${megabytes(this.#maxBytes)} MB. ` +
          'Give "from" and "to", or raise LAKE_CACHE_MAX_BYTES.',
      );
    }
    const { path: folder, release } = await this.#leases.take();
    try {
      const paths = new Map<string, string>();
      const queue = [...files];
      const worker = async (): Promise<void> => {
        for (let file = queue.pop(); file; file = queue.pop()) {
          const path = join(folder, root, file.path);
          await this.#take(`${root}/${file.path}`, file.size, path);
          paths.set(file.path, path);
        }
      };
      await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, worker));
      await this.#evictIfFull();
      return { paths, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Links a cached file into a lease, after a download if needed. */
  async #take(path: string, size: number, target: string): Promise<void> {
    const cached = join(this.#folder, 'files', path);
    await mkdir(dirname(target), { recursive: true });
    for (;;) {
      if (await linked(cached, target)) {
        const now = new Date();
        await utimes(target, now, now);
        return;
      }
      await this.#fill(path, size, cached);
    }
  }

  #fill(path: string, size: number, cached: string): Promise<void> {
    const filling =
      this.#filling.get(path) ?? this.#download(path, size, cached).finally(() => this.#filling.delete(path));
    this.#filling.set(path, filling);
    return filling;
  }

  async #download(path: string, size: number, cached: string): Promise<void> {
    const partial = join(this.#folder, 'filling', randomUUID());
    try {
      const found = await this.#storage.download(path, partial);
      if (!found)
        throw new LakeError('table_corrupt', `${this.#storage.url}: ${path} is in the log but not in the store`);
      const stats = await stat(partial);
      if (stats.size !== size) {
        throw new LakeError(
          'table_corrupt',
          `${this.#storage.url}: ${path} has ${stats.size} bytes, the log says ${size}`,
        );
      }
      await mkdir(dirname(cached), { recursive: true });
      await rename(partial, cached);
      this.#bytes += size;
    } finally {
      await rm(partial, { force: true });
    }
  }

  async #evictIfFull(): Promise<void> {
    if (this.#bytes <= this.#maxBytes) return;
    this.#evicting ??= this.#evict().finally(() => (this.#evicting = undefined));
    await this.#evicting;
  }

  /** Measures the shared folder, and evicts the least recently used files. */
  async #evict(): Promise<void> {
    const files: { path: string; size: number; usedAt: number }[] = [];
    const entries = await readdir(join(this.#folder, 'files'), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const stats = await stat(path).catch(absent);
      if (stats) files.push({ path, size: stats.size, usedAt: stats.mtimeMs });
    }
    let total = files.reduce((sum, { size }) => sum + size, 0);
    if (total > this.#maxBytes) {
      for (const { path, size } of files.sort((a, b) => a.usedAt - b.usedAt)) {
        if (total <= this.#maxBytes * KEEP_SHARE) break;
        await rm(path, { force: true });
        total -= size;
      }
    }
    this.#bytes = total;
  }
}

async function linked(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    if (absent(error) === undefined) return false;
    throw error;
  }
}

/** Returns undefined for "no such file"; throws any other error. */
function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

const ABANDONED_MS = 3_600_000;

/** Removes downloads that were given up. Their age is by the folder's own clock, a new file's time. */
async function removeOld(folder: string): Promise<void> {
  const stamp = join(folder, randomUUID());
  await writeFile(stamp, '');
  const { mtimeMs: nowMs } = await stat(stamp);
  await rm(stamp);
  for (const name of await readdir(folder)) {
    const stats = await stat(join(folder, name)).catch(absent);
    if (stats && nowMs - stats.mtimeMs > ABANDONED_MS) await rm(join(folder, name), { force: true });
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
