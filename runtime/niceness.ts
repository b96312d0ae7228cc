import { readdirSync, writeFileSync } from 'node:fs';
import { platform, setPriority } from 'node:os';

/**
 * Lowers the priority of this process, which should lead a session of its own (`detached`). On Linux each thread has a
 * priority of its own: those of now get it here, later ones from the thread that makes them. Where the kernel shares the
 * processor by session first (sched(7), autogroup), a thread's priority counts within its session only: there the session
 * gets it too.
 */
export function lowerPriority(by: number): void {
  if (platform() !== 'linux') return setPriority(by);
  for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), by);
  try {
    writeFileSync('/proc/self/autogroup', String(by));
  } catch {
    // Not there, not allowed, or somebody else just did so (EAGAIN, ten times a second at most): then it has to do without.
  }
}
