import { homedir } from 'node:os';
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../lake/config.ts';
import { QUERY_SETTINGS } from '../query/config.ts';
import type { Audit } from '../query/audit/audit.ts';
import { StreamUnavailableError } from '../stream/errors.ts';
import { LakeError } from '../lake/errors.ts';
import { readConfig } from '../runtime/config.ts';
import { createRegistry } from '../schemas/registry.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment } from './settings.ts';
import { withStream } from './stream.ts';

const MEMORY_MB = 1_024;

/**
 * Runs a task on the accounts of the lake and stream that the environment names.
 * @throws Unavailable when either does not answer.
 */
export async function withAudit<T>(context: Context, task: (accounts: Audit) => Promise<T>): Promise<T> {
  const { values } = readEnvironment(context);
  const cache = join(context.env.SPOR_CACHE_DIR ?? join(homedir(), '.cache', 'spor'), 'lake');
  const config = readConfig({ ...LAKE_SETTINGS, ...QUERY_SETTINGS }, { WORK_DIR: cache, ...values });
  const { createAudit } = await import('../query/audit/audit.ts'); // the database is slow to load: not for --help
  const { openLocalFiles } = await import('../query/engine/open.ts');
  const { openStorage } = await import('../lake/storage/open.ts');
  const { openTables } = await import('../lake/layout/openTables.ts');
  try {
    return await withStream(context, async (connection, { replicas }) => {
      const storage = await openStorage(config.lakeUrl, config);
      const localFiles = await openLocalFiles(storage, config);
      const tables = openTables(storage, createRegistry());
      const options = { storage, tables, localFiles, replicas, memoryMb: MEMORY_MB };
      const accounts = createAudit({ ...options, connection: () => connection });
      try {
        return await task(accounts);
      } finally {
        await accounts.close();
        storage.close();
      }
    });
  } catch (error) {
    const away =
      error instanceof StreamUnavailableError || (error instanceof LakeError && error.code === 'storage_unavailable');
    throw away ? new UnavailableError(error.message) : error;
  }
}
