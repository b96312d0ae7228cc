import { setTimeout as sleep } from 'node:timers/promises';

/** Whether a process with this id exists (one that has ended but was not waited for counts as existing). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it exists and belongs to somebody else
  }
}

/** Ends a process that is not a child of ours and waits until it is gone. */
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
