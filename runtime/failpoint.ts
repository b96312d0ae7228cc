/** Told of every step; kills the process at the armed one. */
export type Reach<Point extends string> = (point: Point) => void;

export interface FailPoint<Point extends string> {
  point: Point;
  /** The how manieth time, from 1. */
  count: number;
}

/**
 * A failpoint: `after-upload` kills this process with SIGKILL, as a power cut would, when it first reaches that step;
 * `after-upload:3` the third time. Without a setting it does nothing.
 */
export function armFailPoint<Point extends string>(setting: FailPoint<Point> | undefined): Reach<Point> {
  let left = setting?.count ?? 0;
  return (point) => {
    if (point === setting?.point && --left === 0) process.kill(process.pid, 'SIGKILL');
  };
}

/** `after-upload` or `after-upload:3` of the known points; undefined where it is neither. */
export function parseFailPoint<Point extends string>(
  points: readonly Point[],
  text: string,
): FailPoint<Point> | undefined {
  const [name, count = '1'] = text.split(':');
  const point = points.find((known) => known === name);
  return point && /^[1-9]\d*$/.test(count) ? { point, count: Number(count) } : undefined;
}
