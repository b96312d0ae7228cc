import type { Reach } from '../../runtime/failpoint.ts';

/** Steps of a compaction at which a test may kill the process. */
export const COMPACTION_STEPS = [
  'inputs-ready',
  'written',
  'before-upload',
  'after-upload',
  'after-commit',
  'cleaned-up',
] as const;
export type CompactionStep = (typeof COMPACTION_STEPS)[number];

/** Called at every step. */
export type ReachCompaction = Reach<CompactionStep>;
