import { failPointSetting, type Reach } from '../../runtime/failpoint.ts';

/** Steps of a replay at which tests kill the process, in order. */
const REPLAY_STEPS = ['rebuilt', 'after-upload', 'after-record', 'after-commit'] as const;

/** Told of every step. */
export type ReachReplay = Reach<(typeof REPLAY_STEPS)[number]>;

/** For tests: the step that kills the process, or none. */
export const REPLAY_FAILPOINT = failPointSetting(
  'SPOR_REPLAY_FAILPOINT',
  'for tests: the step of a replay at which to die, or none',
  REPLAY_STEPS,
);
