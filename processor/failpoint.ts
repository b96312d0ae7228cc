import type { Reach } from '../runtime/failpoint.ts';

/** The steps of a flush at which a test may end or stop this process, in their order. */
export const FLUSH_STEPS = [
  'before-upload',
  'after-upload',
  'after-first-commit',
  'after-commit',
  'before-ack',
] as const;
export type FlushStep = (typeof FLUSH_STEPS)[number];

/** Told of every step. */
export type ReachFlush = Reach<FlushStep>;
