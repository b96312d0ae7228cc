import { homedir } from 'node:os';
import { join } from 'node:path';
import type { LocalFiles } from '../lake/files/localFiles.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { QUERY_SETTINGS } from '../query/config.ts';
import { readConfig } from '../runtime/config.ts';
import type { Context } from './command.ts';
import { readEnvironment } from './settings.ts';
import { withStorage } from './storage.ts';

interface LocalLake {
  storage: Storage;
  /** Data files on this machine: a folder's, or copies shared by commands. */
  localFiles: LocalFiles;
  config: ReturnType<typeof readConfig<typeof QUERY_SETTINGS>>;
}

/**
 * Run a task on the lake, with its data files on this machine.
 * @param values defaults of settings, and values in place of those of the environment, by variable
 */
export function withLocalFiles<T>(
  context: Context,
  values: { defaults?: Record<string, string>; overrides?: Record<string, string> },
  task: (lake: LocalLake) => Promise<T>,
): Promise<T> {
  const WORK_DIR = join(context.env.SPOR_CACHE_DIR ?? join(homedir(), '.cache', 'spor'), 'lake');
  const config = readConfig(QUERY_SETTINGS, {
    WORK_DIR,
    ...values.defaults,
    ...readEnvironment(context).values,
    ...values.overrides,
  });
  return withStorage(context, async (storage) => {
    const { openLocalFiles } = await import('../query/engine/open.ts'); // slow to load: not for --help
    return task({ storage, localFiles: await openLocalFiles(storage, config), config });
  });
}
