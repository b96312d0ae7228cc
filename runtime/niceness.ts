import { readdirSync, writeFileSync } from 'node:fs';
import { platform, setPriority } from 'node:os';

/**
 * Lower the priority of this process, which should lead its own session (`detached`).
 * Linux keeps a priority for each thread: present threads get it here, later ones inherit it. Kernels with autogroups
 * (sched(7)) compare threads within their session only, so the session gets the priority too.
 */
export function lowerPriority(by: number): void {
  if (platform() !== 'linux') return setPriority(by);
  for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), by);
  try {
    writeFileSync('/proc/self/autogroup', String(by));
  } catch {
    // Autogroups may be absent, not allowed, or over their rate of changes (EAGAIN). Then threads alone have the priority.
  }
}
