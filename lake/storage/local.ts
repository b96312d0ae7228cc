import { randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { access, copyFile, link, mkdir, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LakeError } from '../errors.ts';
import { checkPath, checkPrefix, type Storage, type StoredObject } from './storage.ts';
import { StoreClock } from './storeClock.ts';

/** Folder of unfinished writes, on the lake's file system so that links work. Never listed. */
const STAGING = '.staging';
const STAGING_MAX_AGE_MS = 24 * 3_600_000;
const KNOWN_FOLDERS_MAX = 20_000;

/**
 * Open a lake in a folder, where objects appear whole or not at all.
 * An object is written to the staging folder, flushed, and hard-linked to its name, which fails if the name is taken. Then the
 * folder is flushed, because a power cut could lose the name (fsync(2), "NOTES").
 */
export async function openLocalStorage(root: string): Promise<Storage> {
  await mkdir(join(root, STAGING), { recursive: true });
  await syncFolder(root);
  const storage = new LocalStorage(root);
  await removeStale(join(root, STAGING), storage);
  return storage;
}

class LocalStorage implements Storage {
  readonly url: string;
  readonly #root: string;
  readonly #clock = new StoreClock(() => this.#stamp());
  /** Flushed folders. Another process may have created a folder and not flushed it yet. */
  readonly #durable = new Set<string>();

  constructor(root: string) {
    this.#root = root;
    this.url = `file:${root}`;
  }

  localPath(path: string): string {
    return join(this.#root, checkPath(path));
  }

  close(): void {}

  async get(path: string): Promise<Uint8Array | undefined> {
    return absentAsUndefined(readFile(this.localPath(path)));
  }

  async putIfAbsent(path: string, body: Uint8Array): Promise<boolean> {
    const target = this.localPath(path);
    return this.#staged(async (staged) => {
      const file = await open(staged, 'wx');
      try {
        await file.writeFile(body);
        await file.sync();
      } finally {
        await file.close();
      }
      return this.#publish(staged, target);
    });
  }

  async upload(path: string, localFile: string): Promise<void> {
    const target = this.localPath(path);
    await syncFile(localFile);
    let created: boolean;
    try {
      created = await this.#publish(localFile, target);
    } catch (error) {
      if (errorCode(error) !== 'EXDEV') throw error; // EXDEV: the work folder is on another file system
      created = await this.#staged(async (staged) => {
        await copyFile(localFile, staged, constants.COPYFILE_EXCL);
        await syncFile(staged);
        return this.#publish(staged, target);
      });
    }
    if (!created && !(await sameContent(localFile, target))) {
      throw new LakeError('storage_object_exists', `${path} already exists with other content and is not overwritten`);
    }
  }

  async download(path: string, localFile: string): Promise<boolean> {
    const copied = await absentAsUndefined(
      copyFile(this.localPath(path), localFile, constants.COPYFILE_EXCL).then(() => true),
    );
    return copied ?? false;
  }

  list(prefix: string, startAfter = ''): AsyncIterable<StoredObject> {
    checkPrefix(prefix);
    return this.#walk(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, startAfter);
  }

  async *folders(prefix: string): AsyncIterable<string> {
    let after: string | undefined;
    for (;;) {
      const first = await this.list(prefix, after)[Symbol.asyncIterator]().next();
      if (first.done) return;
      const [folder, ...rest] = first.value.path.slice(prefix.length).split('/');
      if (rest.length > 0) yield folder!;
      // The first object beyond the folder.
      after = rest.length > 0 ? `${prefix}${folder}/\u007f` : first.value.path;
    }
  }

  async delete(paths: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    for (const path of paths) {
      const file = this.localPath(path);
      const deleted = await absentAsUndefined(unlink(file).then(() => true));
      if (deleted) folders.add(dirname(file));
    }
    for (const folder of folders) await syncFolder(folder);
  }

  async has(path: string): Promise<boolean> {
    return (await absentAsUndefined(access(this.localPath(path)).then(() => true))) ?? false;
  }

  now(): Promise<number> {
    return this.#clock.now();
  }

  /** Time that the file system gives a new file. */
  async #stamp(): Promise<number> {
    return this.#staged(async (staged) => {
      const file = await open(staged, 'wx');
      try {
        return (await file.stat()).mtimeMs;
      } finally {
        await file.close();
      }
    });
  }

  /** Depth-first, in byte order of whole paths: a folder sorts as its name and `/`. */
  async *#walk(folder: string, prefix: string, startAfter: string): AsyncGenerator<StoredObject> {
    const entries = await absentAsUndefined(readdir(join(this.#root, folder), { withFileTypes: true }));
    const paths = (entries ?? []).filter((entry) => entry.name !== STAGING).map((entry) => entryPath(folder, entry));
    for (const path of paths.sort(byteOrder)) {
      if (path.endsWith('/')) {
        const inPrefix = path.startsWith(prefix) || prefix.startsWith(path);
        const allBefore = path < startAfter && !startAfter.startsWith(path);
        if (inPrefix && !allBefore) yield* this.#walk(path, prefix, startAfter);
      } else if (path.startsWith(prefix) && path > startAfter) {
        const stats = await absentAsUndefined(stat(join(this.#root, path)));
        if (stats) yield { path, size: stats.size, modified: stats.mtime };
      }
    }
  }

  /** Run a task with a new name in the staging folder, and remove its file. */
  async #staged<T>(task: (staged: string) => Promise<T>): Promise<T> {
    const staged = join(this.#root, STAGING, randomUUID());
    try {
      return await task(staged);
    } finally {
      await rm(staged, { force: true });
    }
  }

  /** Link a flushed file to its final name; false if the name is taken. */
  async #publish(source: string, target: string): Promise<boolean> {
    const folder = dirname(target);
    await this.#ensureFolder(folder);
    try {
      await link(source, target);
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      throw error;
    }
    await syncFolder(folder);
    return true;
  }

  async #ensureFolder(folder: string): Promise<void> {
    if (this.#durable.has(folder)) return;
    await mkdir(folder, { recursive: true });
    const chain: string[] = [];
    for (let step = folder; step !== this.#root && !this.#durable.has(step); step = dirname(step)) chain.push(step);
    for (const step of chain.reverse()) await syncFolder(dirname(step));
    if (this.#durable.size > KNOWN_FOLDERS_MAX) this.#durable.clear();
    for (const step of chain) this.#durable.add(step);
  }
}

function entryPath(folder: string, entry: Dirent): string {
  return `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`;
}

/** Byte order, as S3 lists. Paths are ASCII, so UTF-16 units have the same order. */
function byteOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function sameContent(a: string, b: string): Promise<boolean> {
  const [sizeA, sizeB] = await Promise.all([stat(a), stat(b)]);
  if (sizeA.ino === sizeB.ino && sizeA.dev === sizeB.dev) return true;
  if (sizeA.size !== sizeB.size) return false;
  const [bytesA, bytesB] = await Promise.all([readFile(a), readFile(b)]);
  return bytesA.equals(bytesB);
}

/** Remove files of killed processes. No write takes a day. */
async function removeStale(staging: string, storage: Storage): Promise<void> {
  const names = await readdir(staging);
  // A lake that may only be read tells no time by a new file, and has nothing to remove.
  const nowMs = names.length === 0 ? -Infinity : await storage.now().catch(() => -Infinity);
  for (const name of names) {
    const path = join(staging, name);
    const stats = await absentAsUndefined(stat(path));
    if (stats && nowMs - stats.mtimeMs > STAGING_MAX_AGE_MS) await rm(path, { force: true });
  }
}

async function absentAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
