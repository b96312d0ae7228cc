import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../../runtime/isAlive.ts';

/** Ends a process that is no child of this one, and waits. */
export async function killStray(pid: number): Promise<void> {
  while (isAlive(pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await sleep(20);
  }
}

/** Running children of a process, on Linux (proc(5)). */
export function childrenOf(pid: number): number[] {
  const threads = `/proc/${pid}/task`;
  return (unlessGone(() => readdirSync(threads)) ?? [])
    .flatMap((thread) => (unlessGone(() => readFileSync(`${threads}/${thread}/children`, 'utf8')) ?? '').split(' '))
    .filter(Boolean)
    .map(Number);
}

/** Result of a read in /proc; undefined if the process has ended. */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
