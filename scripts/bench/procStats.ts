import { readdirSync, readFileSync } from 'node:fs';
import { childrenOf, unlessGone } from '../stack/processes.ts';

/** Resource use of a process at one moment. */
export interface ProcessUse {
  name: string;
  pid: number;
  rssBytes: number;
  /** Resident memory, with shared pages divided among the processes that share them. */
  pssBytes: number;
  fileDescriptors: number;
  /** CPU time since the start. */
  cpuSeconds: number;
  /** CPU time of its children that have ended. */
  endedCpuSeconds: number;
}

interface NamedProcess {
  name: string;
  pid: number;
}

/** Clock ticks per second in /proc/<pid>/stat: 100 on every Linux (proc(5)). */
const TICKS = 100;
const PAGE_BYTES = 4_096;

/** Use of processes and their children, from /proc; ended processes are left out. */
export function processUse(processes: readonly NamedProcess[]): ProcessUse[] {
  const known = new Set(processes.map(({ pid }) => pid));
  return processes.flatMap(({ name, pid }) => [
    ...useOf(name, pid),
    ...childrenOf(pid)
      .filter((child) => !known.has(child))
      .flatMap((child) => useOf(`${name}'s child`, child)),
  ]);
}

function useOf(name: string, pid: number): ProcessUse[] {
  const use = unlessGone((): ProcessUse => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in brackets may hold any character; fields 14 to 17 are CPU times, and 24 the resident pages.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      name,
      pid,
      rssBytes: Number(fields[21]) * PAGE_BYTES,
      pssBytes: Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1_024,
      fileDescriptors: readdirSync(`/proc/${pid}/fd`).length,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
      endedCpuSeconds: (Number(fields[13]) + Number(fields[14])) / TICKS,
    };
  });
  return use ? [use] : [];
}

/** Busy cores per process between two samples, such as `ingest 0.71, nats-server 0.2`. */
export function cpuShares(before: readonly ProcessUse[], after: readonly ProcessUse[], seconds: number): string {
  const known = new Map(before.map(({ pid, cpuSeconds }) => [pid, cpuSeconds]));
  return after
    .map(({ name, pid, cpuSeconds }) => `${name} ${((cpuSeconds - (known.get(pid) ?? 0)) / seconds).toFixed(2)}`)
    .join(', ');
}

/** CPU time of all processes between two samples, in seconds. */
export function cpuSeconds(before: readonly ProcessUse[], after: readonly ProcessUse[]): number {
  const known = new Map(before.map(({ pid, cpuSeconds: used }) => [pid, used]));
  return after.reduce((sum, { pid, cpuSeconds: used }) => sum + used - (known.get(pid) ?? 0), 0);
}
