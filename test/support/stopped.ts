import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/**
 * Waits until a process that got SIGSTOP stands still. The signal is only pending when `kill` returns: a thread on another
 * core may yet answer a request. Where there is no /proc, returns at once.
 */
export async function untilStopped(pid: number): Promise<void> {
  if (process.platform !== 'linux') return;
  await until(() => readdirSync(`/proc/${pid}/task`).every((thread) => /^[TtZX]/.test(stateOf(pid, thread))));
}

/** The letter of a thread's state. proc(5): it follows the name, which stands in parentheses and may hold some. */
function stateOf(pid: number, thread: string): string {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2);
}
