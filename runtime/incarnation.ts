import { createHash } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isAlive } from './isAlive.ts';

/**
 * Name of this run of this process: `<pid>-<place>-<start>`.
 *
 * In containers every process may have the id 1. So the name has the place in which ids are unique, which is the host and
 * its namespace of process ids, and the start of the process.
 */
export async function incarnation(): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  const place = createHash('sha256').update(`${hostname()}/${namespace}`).digest('hex').slice(0, 12);
  return `${process.pid}-${place}-${Math.round(performance.timeOrigin)}`;
}

/**
 * Whether a file or folder named after a process is of one that is dead for sure.
 *
 * Processes of another place cannot be seen from here. Earlier versions wrote `<pid>-…`.
 * @param own this process's incarnation
 */
export function isOfDead(name: string, own: string): boolean {
  const [, pid, place, start] = /^(\d+)-(?:([0-9a-f]{12})-(\d+)-)?/.exec(name) ?? [];
  const [, ownPlace, ownStart] = own.split('-');
  if (pid === undefined || (place !== undefined && place !== ownPlace)) return false;
  return Number(pid) === process.pid ? start !== ownStart : !isAlive(Number(pid));
}
