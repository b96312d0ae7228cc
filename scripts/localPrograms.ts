import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder of programs that were fetched once: `$SPOR_CACHE_DIR` or `~/.cache/spor`. */
export function cacheFolder(env: Record<string, string | undefined> = process.env): string {
  return env.SPOR_CACHE_DIR ?? join(env.HOME ?? homedir(), '.cache', 'spor');
}

/** Whether a file exists and may be executed. */
export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
