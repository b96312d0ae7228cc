import { COMPACTION_STEPS } from '../../lake/maintenance/failpoint.ts';
import { FLUSH_STEPS } from '../../processor/failpoint.ts';
import type { Random } from '../shop/random.ts';
import {
  CLOCK_JUMP_MS,
  CLOCKS,
  DISKS,
  LINKS,
  CHORES,
  RESTORES,
  STEP_EVENTS,
  type ChaosFault,
  type Moment,
  type StepEvent,
} from './fault.ts';
import { LINK_MODES } from './proxy.ts';

/** Longer than a lease (fleet.ts), so that a takeover happens. */
const PAST_THE_LEASE_MS = { least: 2_600, most: 4_500 };
/** Longer than the quorum's and the failover's limits (decision 031). */
const PAST_A_FAILOVER_MS = { least: 3_000, most: 7_000 };
const LOAD_MS = 1_500;

/** One fault of every kind, with its numbers. */
export function deck(random: Random): ChaosFault[] {
  const after = (): Moment => ({ afterMs: random.between(50, LOAD_MS) });
  const at = (sign: StepEvent): Moment => ({ sign, count: random.between(1, 6) });
  const forMs = (): number => random.between(400, 3_000);
  const pastTheLease = (): number => random.between(PAST_THE_LEASE_MS.least, PAST_THE_LEASE_MS.most);
  const pastAFailover = (): number => random.between(PAST_A_FAILOVER_MS.least, PAST_A_FAILOVER_MS.most);
  const moments = (): Moment[] => [after(), ...STEP_EVENTS.map(at)];
  return [
    ...[after(), at('publish')].map((moment): ChaosFault => ({ kind: 'kill', target: 'ingest', at: moment })),
    ...moments().map((moment): ChaosFault => ({ kind: 'kill', target: 'nats', at: moment })),
    ...moments().map((moment): ChaosFault => ({ kind: 'kill', target: 'processor', at: moment })),
    { kind: 'kill', target: 'everything', at: after() },
    { kind: 'kill', target: 'majority', at: after() },
    { kind: 'kill', target: 'lake', at: after() },
    ...[after(), at('intent'), at('acknowledge')].map((moment): ChaosFault => ({
      kind: 'kill',
      target: 's3',
      at: moment,
    })),
    { kind: 'pause', target: 's3', at: after(), forMs: forMs() },
    ...FLUSH_STEPS.map((step): ChaosFault => ({ kind: 'die', step, count: random.between(1, 3) })),
    ...FLUSH_STEPS.map((step): ChaosFault => ({
      kind: 'expire-lease',
      step,
      count: random.between(1, 3),
      forMs: pastTheLease(),
    })),
    ...COMPACTION_STEPS.map((step): ChaosFault => ({ kind: 'compaction', step })),
    ...moments().map((moment): ChaosFault => ({
      kind: 'pause',
      target: 'processor',
      at: moment,
      forMs: pastTheLease(),
    })),
    { kind: 'pause', target: 'nats', at: after(), forMs: forMs() },
    { kind: 'pause', target: 'ingest', at: after(), forMs: forMs() },
    ...LINKS.flatMap((link) =>
      LINK_MODES.map((mode): ChaosFault => {
        const ofCluster = link === 'clients-nats' || link === 'nats-nats';
        return { kind: 'link', link, mode, at: after(), forMs: ofCluster ? pastAFailover() : forMs() };
      }),
    ),
    { kind: 'wipe', at: after() },
    ...DISKS.map((disk): ChaosFault => ({ kind: 'disk', disk, at: after(), forMs: forMs() })),
    ...CLOCKS.flatMap((target) =>
      Object.values(CLOCK_JUMP_MS).flatMap(({ least, most }) =>
        [-1, 1].map((sign): ChaosFault => {
          return { kind: 'clock', target, byMs: sign * random.between(least, most), at: after(), forMs: forMs() };
        }),
      ),
    ),
    ...CHORES.map((operation): ChaosFault => ({ kind: 'operate', operation, at: after() })),
    ...RESTORES.map((restore): ChaosFault => ({ kind: 'restore', restore, at: after(), forMs: forMs() })),
  ];
}
