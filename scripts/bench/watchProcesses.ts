import { delay } from '../../runtime/retry.ts';
import type { Stack } from '../stack.ts';
import { processUse, type ProcessUse } from './procStats.ts';

/** What one process used, look by look. */
export interface ProcessCourse {
  name: string;
  atSeconds: number[];
  rssBytes: number[];
  fileDescriptors: number[];
}

/** Looks at a stack's processes, again and again, until the signal. */
export async function watchProcesses(stack: Stack, everyMs: number, signal: AbortSignal): Promise<ProcessCourse[]> {
  const courses = new Map<string, ProcessCourse>();
  const startedMs = performance.now();
  while (!signal.aborted) {
    const at = (performance.now() - startedMs) / 1000;
    for (const use of processUse(stack.processes())) note(courses, use, at);
    await delay(everyMs, signal);
  }
  return [...courses.values()];
}

function note(courses: Map<string, ProcessCourse>, use: ProcessUse, at: number): void {
  const course = courses.get(use.name) ?? { name: use.name, atSeconds: [], rssBytes: [], fileDescriptors: [] };
  courses.set(use.name, course);
  course.atSeconds.push(at);
  course.rssBytes.push(use.rssBytes);
  course.fileDescriptors.push(use.fileDescriptors);
}

/**
 * By how much values grew over the last three quarters of the time, by the line that fits them best, as a share of their
 * mean: the first quarter is for warming up.
 */
export function growth(atSeconds: readonly number[], values: readonly number[]): number {
  const from = Math.floor(atSeconds.length / 4);
  const x = atSeconds.slice(from);
  const y = values.slice(from);
  if (x.length < 2) return 0;
  const meanX = mean(x);
  const meanY = mean(y);
  const slope =
    x.reduce((sum, at, index) => sum + (at - meanX) * (y[index]! - meanY), 0) /
    x.reduce((sum, at) => sum + (at - meanX) ** 2, 0);
  return (slope * (x.at(-1)! - x[0]!)) / meanY;
}

/** `ingest 210 MiB at most, +0.4 %; …` */
export function memoryText(courses: readonly ProcessCourse[]): string {
  return courses
    .map(({ name, atSeconds, rssBytes }) => {
      const most = Math.round(Math.max(...rssBytes) / 2 ** 20);
      return `${name} ${most} MiB at most, ${(growth(atSeconds, rssBytes) * 100).toFixed(1)} % growth`;
    })
    .join('; ');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
