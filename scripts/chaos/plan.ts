import { COMPACTION_STEPS, type CompactionStep } from '../../lake/maintenance/failpoint.ts';
import { FLUSH_STEPS, type FlushStep } from '../../processor/failpoint.ts';
import { DAY_MS } from '../../runtime/units.ts';
import { createRandom, shuffled, type Random } from '../shop/random.ts';
import { LINK_MODES, type LinkMode } from './proxy.ts';

/** Targets of faults; `processor` is the owner of an event's shard, else one of the two. */
export type Target = 'ingest' | 'nats' | 'processor' | 'lake' | 's3';

/** Steps of the services that show at the stream server. */
export const STEP_EVENTS = ['publish', 'lease', 'intent', 'acknowledge'] as const;
export type StepEvent = (typeof STEP_EVENTS)[number];

/** Start of a fault: a time after the load's start, or the nth event of a step. */
export type Moment = { afterMs: number } | { sign: StepEvent; count: number };

export const LINKS = [
  'client-ingest',
  'ingest-nats',
  'processor-nats',
  'processor-s3',
  'lake-nats',
  'lake-s3',
] as const;
export type Link = (typeof LINKS)[number];

/** Processes whose own clocks jump. */
export const CLOCKS = ['ingest', 'processor', 'lake', 'nats'] as const;

export const DISKS = ['work', 'lake', 'stream'] as const;
export type Disk = (typeof DISKS)[number];

export type ChaosFault =
  /** SIGKILL. */
  | { kind: 'kill'; target: Target | 'everything'; at: Moment }
  /** A processor kills itself at a step of a flush. */
  | { kind: 'die'; step: FlushStep; count: number }
  /** A processor stops itself at a step, past its lease. */
  | { kind: 'expire-lease'; step: FlushStep; count: number; forMs: number }
  /** A compaction kills its process at a step. */
  | { kind: 'compaction'; step: CompactionStep }
  /** SIGSTOP, then SIGCONT. */
  | { kind: 'pause'; target: Target; at: Moment; forMs: number }
  | { kind: 'link'; link: Link; mode: LinkMode; at: Moment; forMs: number }
  | { kind: 'disk'; disk: Disk; at: Moment; forMs: number }
  | { kind: 'clock'; target: (typeof CLOCKS)[number]; byMs: number; at: Moment; forMs: number };

export interface Cycle {
  number: number;
  faults: ChaosFault[];
  /** Seed of the load. */
  loadSeed: number;
  /** Time after which a sender gives a batch up, with unknown outcome. */
  giveUpMs: number;
  /** Share of acknowledged batches to send again. */
  resendShare: number;
}

/** Longer than a lease (fleet.ts), so that a takeover happens. */
export const PAST_THE_LEASE_MS = { least: 2_600, most: 4_500 };
const LOAD_MS = 1_500;
/** Ranges of a clock's shift: a drift of hours, and a wrong clock of years. */
export const CLOCK_JUMP_MS = {
  hours: { least: 60_000, most: 7_200_000 },
  years: { least: 366 * DAY_MS, most: 20 * 366 * DAY_MS },
};
const PATIENT_MS = 60_000;
const IMPATIENT_MS = 700;

/** Name of a fault, such as `kill processor at intent`: a key of the result's `faults`. */
export function faultName(fault: ChaosFault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.target}${momentName(fault.at)}`;
    case 'die':
      return `die at ${fault.step}`;
    case 'expire-lease':
      return `expire lease at ${fault.step}`;
    case 'compaction':
      return `compaction dies at ${fault.step}`;
    case 'pause':
      return `pause ${fault.target}${momentName(fault.at)}`;
    case 'link':
      return `link ${fault.link} ${fault.mode}`;
    case 'disk':
      return `disk of ${fault.disk} full`;
    case 'clock':
      return `clock of ${fault.target} ${Math.abs(fault.byMs) < CLOCK_JUMP_MS.years.least ? '' : 'years '}${fault.byMs < 0 ? 'back' : 'ahead'}`;
  }
}

export interface Plan {
  cycles: Cycle[];
  /** Kinds of faults that cannot run here, with the reasons. */
  notRun: Map<string, string>;
}

/**
 * Plan the cycles of a run. Pure.
 *
 * Each kind of fault is a card. The shuffled deck deals one or two cards per cycle, and is shuffled again when it is
 * empty. So a run of a few dozen cycles has every kind, in combinations of the seed.
 * @param obstacle reason why a fault cannot run here; undefined if it can
 */
export function planCycles(seed: number, count: number, obstacle: (fault: ChaosFault) => string | undefined): Plan {
  const random = createRandom(seed);
  const notRun = new Map<string, string>();
  let cards: ChaosFault[] = [];
  const deal = (): ChaosFault => {
    if (cards.length === 0) {
      cards = shuffled(deck(random), random).filter((fault) => {
        const why = obstacle(fault);
        if (why !== undefined) notRun.set(faultName(fault), why);
        return why === undefined;
      });
    }
    return cards.pop()!;
  };
  const cycles = Array.from({ length: count }, (_, number): Cycle => {
    const faults = [deal()];
    if (random.chance(0.4)) faults.push(deal());
    return {
      number,
      faults,
      loadSeed: random.bits(),
      giveUpMs: random.chance(0.15) ? IMPATIENT_MS : PATIENT_MS,
      resendShare: 0.15,
    };
  });
  return { cycles, notRun };
}

/**
 * Plan the cycles of the negative control. Pure.
 *
 * Owners die within a window, which is when an early acknowledgement loses events.
 */
export function planNegativeControl(seed: number, count: number): Plan {
  const { cycles } = planCycles(seed, count, () => undefined);
  const faults: ChaosFault[] = [{ kind: 'die', step: 'before-upload', count: 1 }];
  return { cycles: cycles.map((cycle) => ({ ...cycle, faults })), notRun: new Map() };
}

/** One fault of every kind, with its numbers. */
function deck(random: Random): ChaosFault[] {
  const after = (): Moment => ({ afterMs: random.between(50, LOAD_MS) });
  const at = (sign: StepEvent): Moment => ({ sign, count: random.between(1, 6) });
  const forMs = (): number => random.between(400, 3_000);
  const pastTheLease = (): number => random.between(PAST_THE_LEASE_MS.least, PAST_THE_LEASE_MS.most);
  const moments = (): Moment[] => [after(), ...STEP_EVENTS.map(at)];
  return [
    ...[after(), at('publish')].map((moment): ChaosFault => ({ kind: 'kill', target: 'ingest', at: moment })),
    ...moments().map((moment): ChaosFault => ({ kind: 'kill', target: 'nats', at: moment })),
    ...moments().map((moment): ChaosFault => ({ kind: 'kill', target: 'processor', at: moment })),
    { kind: 'kill', target: 'everything', at: after() },
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
      LINK_MODES.map((mode): ChaosFault => ({ kind: 'link', link, mode, at: after(), forMs: forMs() })),
    ),
    ...DISKS.map((disk): ChaosFault => ({ kind: 'disk', disk, at: after(), forMs: forMs() })),
    ...CLOCKS.flatMap((target) =>
      Object.values(CLOCK_JUMP_MS).flatMap(({ least, most }) =>
        [-1, 1].map((sign): ChaosFault => {
          return { kind: 'clock', target, byMs: sign * random.between(least, most), at: after(), forMs: forMs() };
        }),
      ),
    ),
  ];
}

function momentName(at: Moment): string {
  return 'sign' in at ? ` at ${at.sign}` : '';
}
