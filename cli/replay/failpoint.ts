import { parseFailPoint, type FailPoint, type Reach as ReachPoint } from '../../runtime/failpoint.ts';
import type { Setting } from '../../runtime/config.ts';

/** The steps of a replay at which a test may end the process, in their order. */
const REPLAY_STEPS = ['rebuilt', 'after-upload', 'after-record', 'after-commit'] as const;
export type ReplayStep = (typeof REPLAY_STEPS)[number];

/** Told of every step. */
export type Reach = ReachPoint<ReplayStep>;

/** For tests: the step at which to die, or none. */
export const REPLAY_FAILPOINT: Setting<'none' | FailPoint<ReplayStep>> = {
  name: 'SPOR_REPLAY_FAILPOINT',
  help: 'for tests: the step of a replay at which to die, or none',
  fallback: 'none',
  parse: (value) => (value === 'none' ? 'none' : parseFailPoint(REPLAY_STEPS, value)),
  expected: `none or one of ${REPLAY_STEPS.join(', ')}`,
};
