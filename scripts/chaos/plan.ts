import { createRandom, shuffled } from '../shop/random.ts';
import { deck } from './deck.ts';
import { CLOCK_JUMP_MS, faultName, type ChaosFault } from './fault.ts';

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

const PATIENT_MS = 60_000;
const IMPATIENT_MS = 700;

export interface Plan {
  cycles: Cycle[];
  /** Kinds of faults that cannot run here, with the reasons. */
  notRun: Map<string, string>;
}

/**
 * Plan the cycles of a run. Pure.
 *
 * Each kind of fault is a card. The shuffled deck deals one or two cards per cycle, and is shuffled again when it is
 * empty. So a run of a few dozen cycles has every kind, in combinations of the seed. A store that goes back is alone in
 * its cycle, because events may be lost in it, and those are counted by the time of the fault.
 * @param obstacle reason why a fault cannot run here; undefined if it can
 * @param isWanted chooses faults by name
 * @throws Error if no fault is left
 */
export function planCycles(
  seed: number,
  count: number,
  obstacle: (fault: ChaosFault) => string | undefined,
  isWanted: (name: string) => boolean = () => true,
): Plan {
  const random = createRandom(seed);
  const notRun = new Map<string, string>();
  let cards: ChaosFault[] = [];
  const deal = (): ChaosFault => {
    if (cards.length === 0) {
      cards = shuffled(deck(random), random).filter((fault) => {
        if (!isWanted(faultName(fault))) return false;
        const why = obstacle(fault);
        if (why !== undefined) notRun.set(faultName(fault), why);
        return why === undefined;
      });
    }
    const card = cards.pop();
    if (!card) throw new Error('no fault can run here');
    return card;
  };
  const cycles = Array.from({ length: count }, (_, number): Cycle => {
    const faults = [deal()];
    const second = random.chance(0.4);
    if (second && faults[0]!.kind !== 'restore') {
      const next = deal();
      if (next.kind === 'restore') cards.unshift(next);
      else faults.push(next);
    }
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
 * Guards that a negative control breaks, so that the run must find losses.
 *
 * - `acknowledgement`: messages are acknowledged before the commit.
 * - `clocks`: days expire by a clock that is years ahead.
 * - `restore`: a store goes back, and nobody accepts the loss.
 */
export const CONTROLS = ['acknowledgement', 'clocks', 'restore'] as const;
export type Control = (typeof CONTROLS)[number];

const CONTROL_FAULTS: Record<Control, ChaosFault> = {
  // Owners die within a window, which is when an early acknowledgement loses events.
  acknowledgement: { kind: 'die', step: 'before-upload', count: 1 },
  clocks: { kind: 'expire by a wrong clock', byMs: CLOCK_JUMP_MS.years.least, at: { afterMs: 1_500 } },
  restore: { kind: 'restore', restore: 'stream older', at: { afterMs: 500 }, forMs: 1_000 },
};

/** Plan the cycles of a negative control. Pure. */
export function planControl(control: Control, seed: number, count: number): Plan {
  const { cycles } = planCycles(seed, count, () => undefined);
  return { cycles: cycles.map((cycle) => ({ ...cycle, faults: [CONTROL_FAULTS[control]] })), notRun: new Map() };
}
