import { delay } from '../../runtime/retry.ts';
import type { Stack } from '../stack/stack.ts';
import { processUse, type ProcessUse } from './procStats.ts';
import { mean } from './report.ts';

/** Resource use of one process over time. */
export interface ProcessSamples {
  name: string;
  atSeconds: number[];
  rssBytes: number[];
  fileDescriptors: number[];
}

/** Samples a stack's processes until the signal aborts. */
export async function watchProcesses(stack: Stack, everyMs: number, signal: AbortSignal): Promise<ProcessSamples[]> {
  const courses = new Map<number, ProcessSamples>();
  const startedMs = performance.now();
  while (!signal.aborted) {
    const at = (performance.now() - startedMs) / 1000;
    for (const use of processUse(stack.processes())) note(courses, use, at);
    await delay(everyMs, signal);
  }
  return [...courses.values()];
}

/** Largest growth of any process that ran for long. */
export function maxGrowth(courses: readonly ProcessSamples[], of: 'rssBytes' | 'fileDescriptors'): number {
  const lasting = courses.filter((course) => !isBrief(course, courses));
  return Math.max(...lasting.map((course) => growth(course.atSeconds, course[of])));
}

function note(courses: Map<number, ProcessSamples>, use: ProcessUse, at: number): void {
  const { name, pid } = use;
  const course = courses.get(pid) ?? { name, atSeconds: [], rssBytes: [], fileDescriptors: [] };
  courses.set(pid, course);
  course.atSeconds.push(at);
  course.rssBytes.push(use.rssBytes);
  course.fileDescriptors.push(use.fileDescriptors);
}

/** Whether a process ran too briefly for its growth to count. */
function isBrief(course: ProcessSamples, courses: readonly ProcessSamples[]): boolean {
  return livedSeconds(course) < Math.max(...courses.map(livedSeconds)) / 2;
}

function livedSeconds({ atSeconds }: ProcessSamples): number {
  return atSeconds.at(-1)! - atSeconds[0]!;
}

/**
 * Growth over the last three quarters, as a share of the mean.
 *
 * The growth is that of the best line. The first quarter is the warm-up.
 */
function growth(atSeconds: readonly number[], values: readonly number[]): number {
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

/**
 * Memory of all processes as text.
 *
 * Such as `ingest 210 MiB at most, 0.4 % growth; lake's child 512 MiB at most in 31 s; …`.
 */
export function memoryText(courses: readonly ProcessSamples[]): string {
  return courses
    .map((course) => {
      const most = `${course.name} ${Math.round(Math.max(...course.rssBytes) / 2 ** 20)} MiB at most`;
      if (isBrief(course, courses)) return `${most} in ${Math.round(livedSeconds(course))} s`;
      return `${most}, ${(growth(course.atSeconds, course.rssBytes) * 100).toFixed(1)} % growth`;
    })
    .join('; ');
}
