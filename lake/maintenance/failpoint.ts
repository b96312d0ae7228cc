import type { Reach } from '../../runtime/failpoint.ts';

/** The steps of a compaction at which a test may kill this process, in their order. */
export const COMPACTION_STEPS = [
  'inputs-ready',
  'written',
  'before-upload',
  'after-upload',
  'after-commit',
  'cleaned-up',
] as const;
export type CompactionStep = (typeof COMPACTION_STEPS)[number];

/** Told of every step. */
export type ReachCompaction = Reach<CompactionStep>;
