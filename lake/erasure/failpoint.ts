import type { Reach } from '../../runtime/failpoint.ts';

/** The steps of an erasure at which a test may kill this process, in their order; those of files come for every table. */
export const ERASURE_STEPS = [
  'listed',
  'marked',
  'after-upload',
  'after-commit',
  'events-clean',
  'marts-marked',
  'marts-clean',
] as const;

/** Told of every step. */
export type ReachErasure = Reach<(typeof ERASURE_STEPS)[number]>;
