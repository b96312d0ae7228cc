import type { Reach } from '../runtime/failpoint.ts';

/** Steps of a flush at which a test may end the process. */
export const FLUSH_STEPS = [
  'before-upload',
  'after-upload',
  'after-first-commit',
  'after-commit',
  'before-ack',
] as const;
export type FlushStep = (typeof FLUSH_STEPS)[number];

/** Steps of a growth of the shards at which a test may end the process. */
export const GROWTH_STEPS = ['after-prepare', 'after-close', 'after-seal', 'before-switch'] as const;
/** Called at every step of a growth. */
export type ReachGrowth = Reach<(typeof GROWTH_STEPS)[number]>;

/** Called at every step of a flush. */
export type ReachFlush = Reach<FlushStep>;
