import { fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompactionStep } from '../../lake/maintenance/failpoint.ts';
import type { ChaosContext } from './context.ts';

interface CompactionRun {
  /** Step at which it dies. */
  step?: CompactionStep;
  /** Shift of its clock, by which it first lets all days but one expire. */
  byMs?: number;
}

const PROGRAM = fileURLToPath(new URL('./compactor.ts', import.meta.url));
const LONGEST_MS = 30_000;

/** Compacts the tables of a cycle in a process of its own; true if it ended by SIGKILL, as at its step. */
export async function runCompaction(
  { step, byMs }: CompactionRun,
  { fleet, shops, dir }: ChaosContext,
): Promise<boolean> {
  const log = openSync(join(dir, 'logs', 'compactor.log'), 'a');
  const tenants = shops.map(({ tenantId }) => tenantId).join(',');
  try {
    const child = fork(PROGRAM, [tenants, step ?? '', String(byMs ?? 0)], {
      env: { ...fleet.env, WORK_DIR: join(dir, 'compaction') },
      stdio: ['ignore', log, log, 'ipc'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
    const signal = await new Promise((resolve) => child.once('exit', (_, killedBy) => resolve(killedBy)));
    clearTimeout(timer);
    return signal === 'SIGKILL';
  } finally {
    closeSync(log);
  }
}
