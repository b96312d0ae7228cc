import { FAULT_CODES } from './badEvents.ts';
import { createCatalogue, type Catalogue } from './catalogue.ts';
import { createRandom, zipf, type Random } from './random.ts';
import { visit, type ShopEvent } from './session.ts';
import { SHOPS, type Shop } from './shops.ts';
import { wholeShop } from './wholeShop.ts';

export interface SimulationOptions {
  /** Seed; the same seed, start and rate give the same bytes. */
  seed: number;
  /** Simulated time of the first visit, in Unix milliseconds. */
  startMs: number;
  /** Latest time of an event. */
  untilMs: number;
  /** Mean events of all shops per simulated second. */
  eventsPerSecond: number;
  /** Share of events that an invalid one follows; 0.01 by default. */
  badShare?: number;
  /** Factor on the pauses between actions; below 1, visits are shorter and fewer overlap. */
  pace?: number;
  /** Whether backends say more of orders later: refunds, cancellations, corrections. False by default. */
  later?: boolean;
  shops?: readonly Shop[];
  /** Share of visits that send every event type (wholeShop.ts); 0 by default. Other visits stay the same. */
  wholeShare?: number;
}

/** Mean events of a visit (docs/performance.md, "Simulation"). */
const EVENTS_PER_VISIT = 4.12;
/** Mean events that a visit of the whole shop has beside. */
const FURTHER_EVENTS = 5;
const VISITORS = 5_000;
const visitorRank = zipf(VISITORS, 0.6);

/**
 * The events of all shops in order of time. Pure: no clock, no network.
 *
 * Visits begin at random (Poisson) times. Memory holds only the visits under way, in a heap.
 */
export function* simulate(options: SimulationOptions): Generator<ShopEvent, void, undefined> {
  const random = createRandom(options.seed);
  const shops = (options.shops ?? SHOPS).map((shop) => ({
    shop,
    catalogue: createCatalogue(shop.assortment, createRandom(1).fork(shop.tenantId)),
  }));
  const { wholeShare = 0 } = options;
  const pauseMs = ((EVENTS_PER_VISIT + wholeShare * FURTHER_EVENTS) * 1000) / options.eventsPerSecond;
  const pending = createHeap();
  let faults = 0;
  const nextFault = () => FAULT_CODES[faults++ % FAULT_CODES.length]!;

  let arrivalMs = options.startMs;
  for (let number = 0; arrivalMs <= options.untilMs; number++) {
    for (let next = pending.popBefore(arrivalMs); next; next = pending.popBefore(arrivalMs)) yield next;
    const { shop, catalogue } = chooseShop(shops, random);
    const visitRandom = random.fork(`visit ${number}`);
    const events = visit({
      shop,
      catalogue,
      segmentId: chooseSegment(shop, visitRandom),
      random: visitRandom,
      visitor: chooseVisitor(shop, visitRandom),
      startMs: Math.floor(arrivalMs),
      pace: options.pace ?? 1,
      badShare: options.badShare ?? 0.01,
      nextFault,
      later: options.later ?? false,
    });
    const own = visitRandom.fork('whole shop');
    const sent = own.chance(wholeShare) ? wholeShop(events, { catalogue, random: own }) : events;
    pending.push(sent.filter((event) => event.atMs <= options.untilMs));
    arrivalMs += random.exponential(pauseMs);
  }
  for (let next = pending.popBefore(options.untilMs); next; next = pending.popBefore(options.untilMs)) yield next;
}

function chooseShop(
  shops: { shop: Shop; catalogue: Catalogue }[],
  random: Random,
): { shop: Shop; catalogue: Catalogue } {
  let target = random.next() * shops.reduce((sum, { shop }) => sum + shop.share, 0);
  return shops.find(({ shop }) => (target -= shop.share) < 0) ?? shops.at(-1)!;
}

function chooseSegment(shop: Shop, random: Random): string {
  let target = random.next();
  return (shop.segments.find(({ share }) => (target -= share) < 0) ?? shop.segments.at(-1)!).segmentId;
}

/** A visitor; some come often, and a third of those are signed in. */
function chooseVisitor(shop: Shop, random: Random): { anonymousId: string; userId?: string } {
  const rank = visitorRank(random);
  const anonymousId = `a-${shop.tenantId}-${rank}`;
  return rank % 3 === 0 ? { anonymousId, userId: `customer-${rank}` } : { anonymousId };
}

/**
 * Visits under way, ordered by the time of their next event.
 *
 * A visit keeps its own order.
 */
function createHeap(): { push: (events: ShopEvent[]) => void; popBefore: (limitMs: number) => ShopEvent | undefined } {
  const heap: { events: ShopEvent[]; next: number; order: number }[] = [];
  let pushed = 0;

  const before = (a: number, b: number): boolean => {
    const [left, right] = [heap[a]!, heap[b]!];
    const difference = left.events[left.next]!.atMs - right.events[right.next]!.atMs;
    return difference === 0 ? left.order < right.order : difference < 0;
  };
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  const sink = (): void => {
    for (let at = 0; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && before(child, least)) least = child;
      if (least === at) return;
      swap(at, least);
      at = least;
    }
  };
  return {
    push(events) {
      if (events.length === 0) return;
      heap.push({ events, next: 0, order: pushed++ });
      for (let at = heap.length - 1; at > 0 && before(at, (at - 1) >> 1); at = (at - 1) >> 1) swap(at, (at - 1) >> 1);
    },
    popBefore(limitMs) {
      const top = heap[0];
      const event = top?.events[top.next];
      if (!top || !event || event.atMs > limitMs) return undefined;
      top.next++;
      if (top.next === top.events.length) {
        swap(0, heap.length - 1);
        heap.pop();
      }
      sink();
      return event;
    },
  };
}
