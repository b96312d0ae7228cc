import type { Setting } from './config.ts';

/** Told of every step; acts at the armed one. */
export type Reach<Point extends string> = (point: Point) => void;

/** A step at which a test ends or stops this process. */
export interface FailPoint<Point extends string> {
  point: Point;
  /** Which occurrence triggers it, counting from 1. */
  count: number;
  /** SIGKILL is a power cut, SIGSTOP an owner that oversleeps its lease. */
  signal: 'SIGKILL' | 'SIGSTOP';
}

/** Whether a fail point may also stop the process. */
export interface FailPointOptions {
  stop?: boolean;
}

/** Send this process its signal at the armed step; without one, do nothing. */
export function armFailPoint<Point extends string>(setting: FailPoint<Point> | 'none' | undefined): Reach<Point> {
  const armed = setting === 'none' ? undefined : setting;
  let left = armed?.count ?? 0;
  return (point) => {
    if (armed && point === armed.point && --left === 0) process.kill(process.pid, armed.signal);
  };
}

/**
 * Read a fail point of the known points; undefined where it is none.
 * `after-upload` kills at the first occurrence, `after-upload:3` at the third. With `stop`, `after-upload:3:stop` stops.
 */
export function parseFailPoint<Point extends string>(
  points: readonly Point[],
  text: string,
  { stop = false }: FailPointOptions = {},
): FailPoint<Point> | undefined {
  const [, name, count = '1', stops] = /^([a-z-]+)(?::([1-9]\d*))?(:stop)?$/.exec(text) ?? [];
  const point = points.find((known) => known === name);
  if (point === undefined || (stops !== undefined && !stop)) return undefined;
  return { point, count: Number(count), signal: stops === undefined ? 'SIGKILL' : 'SIGSTOP' };
}

/** A setting of a fail point, or `none`. */
export function failPointSetting<Point extends string>(
  name: string,
  help: string,
  points: readonly Point[],
  options: FailPointOptions = {},
): Setting<'none' | FailPoint<Point>> {
  return {
    name,
    help,
    fallback: 'none',
    parse: (value) => (value === 'none' ? 'none' : parseFailPoint(points, value, options)),
    expected: `none or one of ${points.join(', ')}${options.stop ? ', optionally with :<count> and :stop' : ''}`,
  };
}
