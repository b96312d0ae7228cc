import type { DuckDBInstance } from '@duckdb/node-api';
import { openDuckdbInstance } from '../../lake/duckdb/instance.ts';

/** What a database may take. */
export interface InstanceLimits {
  memoryMb: number;
  threads: number;
}

/** Makes an empty database; whoever asks closes it. */
export type OpenInstance = (limits: InstanceLimits) => Promise<DuckDBInstance>;

/** An empty database in memory, with no spilling to disk and no extensions but those built in. */
export function openInstance({ memoryMb, threads }: InstanceLimits): Promise<DuckDBInstance> {
  return openDuckdbInstance({
    memory: `${memoryMb}MiB`,
    threads,
    spillDir: '',
    settings: { allow_community_extensions: 'false', enable_object_cache: 'false' },
  });
}

/**
 * Opens databases that were made ahead: making one takes as long as many a query. `next` makes the one after, with the limits
 * of the query before, as those of a process's queries hardly change.
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

  /** Makes a database for the next query, once the one before has been answered. */
  next(limits: InstanceLimits): void {
    if (this.#ahead) return;
    const ahead = { limits, instance: openInstance(limits) };
    this.#ahead = ahead;
    // Whether it cannot be made is for the query to find out that needs it.
    ahead.instance.catch(() => {
      if (this.#ahead === ahead) this.#ahead = undefined;
    });
  }
}

function sameLimits(one: InstanceLimits, other: InstanceLimits): boolean {
  return one.memoryMb === other.memoryMb && one.threads === other.threads;
}
