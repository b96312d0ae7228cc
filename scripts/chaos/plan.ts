import { COMPACTION_STEPS, type CompactionStep } from '../../lake/maintenance/failpoint.ts';
import { FLUSH_STEPS, type FlushStep } from '../../processor/failpoint.ts';
import { createRandom, shuffled, type Random } from '../shop/random.ts';
import { LINK_MODES, type LinkMode } from './proxy.ts';

/** Processes that faults befall; `processor` is the owner of the shard a sign was about, else one of the two. */
export type Target = 'ingest' | 'nats' | 'processor' | 'lake' | 's3';

/** What can be seen of the services' work from outside, at the stream server. */
export const STEP_EVENTS = ['publish', 'lease', 'intent', 'acknowledge'] as const;
export type StepEvent = (typeof STEP_EVENTS)[number];

/** When a fault begins: some time after the load, or at the nth sign of a step. */
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

export const DISKS = ['work', 'lake', 'stream'] as const;
export type Disk = (typeof DISKS)[number];

export type ChaosFault =
  /** SIGKILL. */
  | { kind: 'kill'; target: Target | 'everything'; at: Moment }
  /** A processor kills itself at a step of a flush. */
  | { kind: 'die'; step: FlushStep; count: number }
  /** A processor stops itself at a step of a flush, past its lease, and goes on. */
  | { kind: 'expire-lease'; step: FlushStep; count: number; forMs: number }
  /** A compaction kills its process at a step. */
  | { kind: 'compaction'; step: CompactionStep }
  /** SIGSTOP, then SIGCONT. */
  | { kind: 'pause'; target: Target; at: Moment; forMs: number }
  | { kind: 'link'; link: Link; mode: LinkMode; at: Moment; forMs: number }
  | { kind: 'disk'; disk: Disk; at: Moment; forMs: number }
  | { kind: 'clock'; target: 'ingest' | 'processor'; byMs: number; at: Moment; forMs: number };

export interface Cycle {
  number: number;
  faults: ChaosFault[];
  /** Seed of the load. */
  loadSeed: number;
  /** A sender gives a batch up after this time; then its outcome is unknown. */
  giveUpMs: number;
  /** Part of the acknowledged batches that are sent again, as by senders that lost the answer. */
  resendShare: number;
}

/** Longer than a lease lasts (fleet.ts), so that another processor has taken over meanwhile. */
export const PAST_THE_LEASE_MS = { least: 2_600, most: 4_500 };
const LOAD_MS = 1_500;
/** How far off a clock is set. */
export const CLOCK_JUMP_MS = { least: 60_000, most: 7_200_000 };
const PATIENT_MS = 60_000;
const IMPATIENT_MS = 700;

/** What the name of a fault says: `kill processor at intent`, `link ingest-nats deaf`. The keys of the result's `faults`. */
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
      return `clock of ${fault.target} ${fault.byMs < 0 ? 'back' : 'ahead'}`;
  }
}

export interface Plan {
  cycles: Cycle[];
  /** Kinds of faults that cannot be done here, with the reason. */
  notRun: Map<string, string>;
}

/**
 * Pure: the cycles of a run. Every kind of fault is a card; the deck is shuffled and dealt, one or two cards a cycle, and
 * shuffled again when it is used up, so that a run of some dozen cycles has met every kind, in combinations that the seed
 * chooses.
 * @param obstacle why a fault cannot be done here; undefined where it can
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

/** Pure: the cycles of the negative control. Owners die in the middle of a window, which is when an early ack loses it. */
export function planNegativeControl(seed: number, count: number): Plan {
  const { cycles } = planCycles(seed, count, () => undefined);
  const faults: ChaosFault[] = [{ kind: 'die', step: 'before-upload', count: 1 }];
  return { cycles: cycles.map((cycle) => ({ ...cycle, faults })), notRun: new Map() };
}

/** One fault of every kind, with the numbers that belong to it. */
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
    ...(['ingest', 'processor'] as const).flatMap((target) =>
      [-1, 1].map((sign): ChaosFault => {
        const byMs = sign * random.between(CLOCK_JUMP_MS.least, CLOCK_JUMP_MS.most);
        return { kind: 'clock', target, byMs, at: after(), forMs: forMs() };
      }),
    ),
  ];
}

function momentName(at: Moment): string {
  return 'sign' in at ? ` at ${at.sign}` : '';
}
