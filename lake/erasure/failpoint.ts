import type { Reach } from '../../runtime/failpoint.ts';

/**
 * Steps of an erasure at which a test may kill the process.
 *
 * The steps of files occur for every table.
 */
export const ERASURE_STEPS = [
  'listed',
  'marked',
  'after-upload',
  'after-commit',
  'events-clean',
  'marts-marked',
  'marts-clean',
] as const;

/** Called at every step. */
export type ReachErasure = Reach<(typeof ERASURE_STEPS)[number]>;
