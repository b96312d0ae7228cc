import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../lake/config.ts';
import { LakeError } from '../lake/errors.ts';
import { MAINTENANCE_SETTINGS } from '../lake/maintenance/settings.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { readConfig } from '../runtime/config.ts';
import { UnavailableError, UsageError, type Context } from './command.ts';
import { readEnvironment } from './settings.ts';

interface OpenLake {
  storage: Storage;
  config: ReturnType<typeof lakeConfig>;
  /** Scratch folder. */
  workDir: string;
}

function lakeConfig(values: Record<string, string | undefined>) {
  return readConfig({ ...LAKE_SETTINGS, ...MAINTENANCE_SETTINGS }, values);
}

/**
 * Runs a task on the lake that the environment names, with a scratch folder that is removed afterwards.
 * @throws UsageError for what is out of range; Unavailable when the storage does not answer.
 */
export async function withLake<T>(context: Context, task: (lake: OpenLake) => Promise<T>): Promise<T> {
  const config = lakeConfig(readEnvironment(context).values);
  const { openStorage } = await import('../lake/storage/open.ts');
  const workDir = await mkdtemp(join(tmpdir(), 'spor-lake-'));
  try {
    const storage = await openStorage(config.lakeUrl, config);
    try {
      return await task({ storage, config, workDir });
    } finally {
      storage.close();
    }
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    if (error instanceof LakeError && error.code === 'storage_unavailable') throw new UnavailableError(error.message);
    throw error;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
