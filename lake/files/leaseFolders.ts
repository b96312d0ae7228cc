import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { incarnation, isOfDead } from '../../runtime/incarnation.ts';

const BEAT_MS = 5_000;
/** Time without a beat after which a lease of another container or host is dead: six beats. */
const SILENT_MS = 30_000;

interface Seen {
  timeMs: number;
  /** By the monotonic clock of this process. */
  sinceMs: number;
}

/**
 * Folders of leases, each for one query, in a folder that several processes share.
 *
 * Leases of dead processes are removed. Those of this host are known by their names. Containers and hosts do not see each
 * other's processes, so each process renews the time of its folders. A folder whose time stands still is removed. Its time
 * is only compared with itself, so that no clock matters.
 */
export class LeaseFolders {
  readonly #parent: string;
  readonly #own: string;
  readonly #held = new Set<string>();
  readonly #seen = new Map<string, Seen>();

  private constructor(parent: string, own: string) {
    this.#parent = parent;
    this.#own = own;
  }

  static async open(parent: string): Promise<LeaseFolders> {
    await mkdir(parent, { recursive: true });
    const folders = new LeaseFolders(parent, await incarnation());
    for (const name of await readdir(parent)) if (isOfDead(name, folders.#own)) await folders.#remove(name);
    // A beat that fails, on a full disk, is made up by the next one.
    setInterval(() => void folders.beat().catch(() => undefined), BEAT_MS).unref();
    return folders;
  }

  /** Creates the folder of a lease. */
  async take(): Promise<{ path: string; release: () => Promise<void> }> {
    const name = `${this.#own}-${randomUUID()}`;
    this.#held.add(name);
    await mkdir(join(this.#parent, name));
    const release = async (): Promise<void> => {
      this.#held.delete(name);
      await this.#remove(name);
    };
    return { path: join(this.#parent, name), release };
  }

  /** Renews the held folders, and removes those of others that stood still. */
  async beat(nowMs = performance.now()): Promise<void> {
    const time = new Date();
    for (const name of this.#held) await utimes(join(this.#parent, name), time, time).catch(() => undefined);
    const names = await readdir(this.#parent);
    for (const name of this.#seen.keys()) if (!names.includes(name)) this.#seen.delete(name);
    for (const name of names) {
      if (name.startsWith(`${this.#own}-`)) continue;
      const timeMs = (await stat(join(this.#parent, name)).catch(() => undefined))?.mtimeMs;
      const before = this.#seen.get(name);
      if (timeMs === undefined) continue;
      if (before?.timeMs !== timeMs) this.#seen.set(name, { timeMs, sinceMs: nowMs });
      else if (nowMs - before.sinceMs >= SILENT_MS) await this.#remove(name);
    }
  }

  async #remove(name: string): Promise<void> {
    await rm(join(this.#parent, name), { recursive: true, force: true });
  }
}
