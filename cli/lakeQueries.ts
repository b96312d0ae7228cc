import type { Queries } from '../query/engine/query.ts';
import { createRegistry } from '../schemas/registry.ts';
import type { Context } from './command.ts';
import { withLocalFiles } from './localFiles.ts';

/** Defaults of a query alone on its machine. The query server's suit many at once. */
const LIMITS = {
  LAKE_QUERY_TIMEOUT_MS: '300000',
  LAKE_QUERY_MAX_ROWS: '100000',
  LAKE_QUERY_MAX_BYTES: String(256 * 1024 * 1024),
  LAKE_QUERY_MEMORY_MB: '2048',
};

/**
 * Run a task with queries over the lake that the environment names.
 * @param limits values by variable, in place of those of the environment
 */
export function withLakeQueries<T>(
  context: Context,
  limits: Record<string, string>,
  task: (queries: Queries) => Promise<T>,
): Promise<T> {
  const options = { defaults: LIMITS, overrides: limits };
  return withLocalFiles(context, options, async ({ storage, localFiles, config }) => {
    const { queryLimits } = await import('../query/engine/open.ts');
    const { openQueries } = await import('../query/engine/query.ts');
    const { createTableCache } = await import('../lake/layout/tableCache.ts');
    const registry = createRegistry();
    const queries = await openQueries({
      storage,
      tables: createTableCache(storage, registry),
      localFiles,
      registry,
      limits: queryLimits(config),
    });
    try {
      return await task(queries);
    } finally {
      await queries.close();
    }
  });
}
