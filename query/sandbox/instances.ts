import type { DuckDBInstance } from '@duckdb/node-api';
import { openDuckdbInstance } from '../../lake/duckdb/instance.ts';

/** Memory and threads of a database. */
export interface InstanceLimits {
  memoryMb: number;
  threads: number;
}

/** Open an empty database, which the caller closes. */
export type OpenInstance = (limits: InstanceLimits) => Promise<DuckDBInstance>;

/** Open an in-memory database without spilling to disk or downloaded extensions. */
export function openInstance({ memoryMb, threads }: InstanceLimits): Promise<DuckDBInstance> {
  return openDuckdbInstance({
    memory: `${memoryMb}MiB`,
    threads,
    spillDir: '',
    settings: { allow_community_extensions: 'false', enable_object_cache: 'false' },
  });
}

/**
 * Opener of databases that start in advance.
 *
 * Starting a database takes as long as a short query (decision 027). The next one gets the limits of the previous query,
 * which rarely change within a process.
 */
export class PrewarmedInstance {
  #ahead: { limits: InstanceLimits; instance: Promise<DuckDBInstance> } | undefined;

  readonly open: OpenInstance = async (limits) => {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead && sameLimits(ahead.limits, limits)) return ahead.instance;
    ahead?.instance.then((instance) => instance.closeSync()).catch(() => undefined);
    return openInstance(limits);
  };

  /** Start a database for the next query, once the previous one is answered. */
  next(limits: InstanceLimits): void {
    if (this.#ahead) return;
    const ahead = { limits, instance: openInstance(limits) };
    this.#ahead = ahead;
    // The query that needs the database opens another, and reports its failure.
    ahead.instance.catch(() => {
      if (this.#ahead === ahead) this.#ahead = undefined;
    });
  }
}

/**
 * A database for our own statements, kept from one to the next.
 *
 * It has one thread: two need half as much CPU again for the same statement (docs/performance.md, "Queries").
 * Each statement has a connection of its own, and creates temporary relations only, so none sees another's.
 */
export class KeptInstance {
  #kept: { limits: InstanceLimits; instance: Promise<DuckDBInstance> } | undefined;

  readonly open: OpenInstance = (limits) => {
    if (this.#kept && !sameLimits(this.#kept.limits, limits)) this.drop();
    this.#kept ??= { limits, instance: openInstance({ ...limits, threads: 1 }) };
    return this.#kept.instance;
  };

  /** Close the database, which has failed or is not needed any more. */
  drop(): void {
    this.#kept?.instance.then((instance) => instance.closeSync()).catch(() => undefined);
    this.#kept = undefined;
  }
}

function sameLimits(one: InstanceLimits, other: InstanceLimits): boolean {
  return one.memoryMb === other.memoryMb && one.threads === other.threads;
}
