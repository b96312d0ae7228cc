import { failPointSetting, type Reach } from '../../runtime/failpoint.ts';

/** The steps of a replay at which a test may end the process, in their order. */
const REPLAY_STEPS = ['rebuilt', 'after-upload', 'after-record', 'after-commit'] as const;

/** Told of every step. */
export type ReachReplay = Reach<(typeof REPLAY_STEPS)[number]>;

/** For tests: the step at which to die, or none. */
export const REPLAY_FAILPOINT = failPointSetting(
  'SPOR_REPLAY_FAILPOINT',
  'for tests: the step of a replay at which to die, or none',
  REPLAY_STEPS,
);
