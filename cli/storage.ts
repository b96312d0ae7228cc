import { LAKE_SETTINGS } from '../lake/config.ts';
import { LakeError } from '../lake/errors.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { readConfig } from '../runtime/config.ts';
import { StreamUnavailableError } from '../stream/errors.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment } from './settings.ts';

/**
 * Run a task with the storage of the lake that the environment names.
 * @throws UnavailableError if the storage, or a stream server that the task asks, does not answer
 */
export async function withStorage<T>(context: Context, task: (storage: Storage) => Promise<T>): Promise<T> {
  const config = readConfig(LAKE_SETTINGS, readEnvironment(context).values);
  const { openStorage } = await import('../lake/storage/open.ts'); // slow to load: not for --help
  try {
    const storage = await openStorage(config.lakeUrl, config);
    try {
      return await task(storage);
    } finally {
      storage.close();
    }
  } catch (error) {
    if (isUnavailable(error)) throw new UnavailableError(error.message);
    throw error;
  }
}

function isUnavailable(error: unknown): error is Error {
  if (error instanceof StreamUnavailableError) return true;
  return error instanceof LakeError && error.code === 'storage_unavailable';
}
