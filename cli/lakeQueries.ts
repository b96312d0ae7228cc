import { homedir } from 'node:os';
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../lake/config.ts';
import { QUERY_SETTINGS } from '../query/config.ts';
import { LakeError } from '../lake/errors.ts';
import type { Queries } from '../query/engine/query.ts';
import { readConfig } from '../runtime/config.ts';
import { createRegistry } from '../schemas/registry.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment } from './settings.ts';

/** Unlike the query server's, which serves many people at once. */
const LIMITS = {
  LAKE_QUERY_TIMEOUT_MS: '300000',
  LAKE_QUERY_MAX_ROWS: '100000',
  LAKE_QUERY_MAX_BYTES: String(256 * 1024 * 1024),
  LAKE_QUERY_MEMORY_MB: '2048',
};

/**
 * Runs a task with queries over the lake that the environment names.
 * @param limits settings by name, before those of the environment
 * @throws Unavailable when the lake's storage does not answer.
 */
export async function withLakeQueries<T>(
  context: Context,
  limits: Record<string, string>,
  task: (queries: Queries) => Promise<T>,
): Promise<T> {
  const { values } = readEnvironment(context);
  const cache = join(context.env.SPOR_CACHE_DIR ?? join(homedir(), '.cache', 'spor'), 'lake');
  const settings = { WORK_DIR: cache, ...LIMITS, ...values, ...limits };
  const config = readConfig({ ...LAKE_SETTINGS, ...QUERY_SETTINGS }, settings);
  const { openLakeQueries } = await import('../query/engine/open.ts'); // the database is slow to load: not for --help
  try {
    const { queries } = await openLakeQueries(config, createRegistry());
    try {
      return await task(queries);
    } finally {
      await queries.close();
    }
  } catch (error) {
    if (error instanceof LakeError && error.code === 'storage_unavailable') throw new UnavailableError(error.message);
    throw error;
  }
}
