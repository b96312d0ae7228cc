/** The steps of a flush at which a test may end or stop this process, in their order. */
export const FAIL_POINTS = [
  'before-upload',
  'after-upload',
  'after-first-commit',
  'after-commit',
  'before-ack',
] as const;
export type FailPoint = (typeof FAIL_POINTS)[number];

export interface FailPointSetting {
  point: FailPoint;
  /** Which time it is reached. */
  count: number;
  signal: 'SIGKILL' | 'SIGSTOP';
}

/** Told of every step; acts at the armed one. */
export type Reach = (point: FailPoint) => void;

/** Sends this process its signal at the armed step: SIGKILL is a power cut, SIGSTOP an owner that oversleeps its lease. */
export function armFailPoint(setting: FailPointSetting | undefined): Reach {
  let left = setting?.count ?? 0;
  return (point) => {
    if (setting && point === setting.point && --left === 0) process.kill(process.pid, setting.signal);
  };
}

/** `after-upload`: killed when it first gets there; `after-upload:3`: the third time; `after-upload:3:stop`: stopped. */
export function parseFailPoint(text: string): FailPointSetting | undefined {
  const match = /^([a-z-]+)(?::([1-9]\d*))?(?::(stop))?$/.exec(text);
  const point = FAIL_POINTS.find((known) => known === match?.[1]);
  return point && { point, count: Number(match?.[2] ?? 1), signal: match?.[3] ? 'SIGSTOP' : 'SIGKILL' };
}
