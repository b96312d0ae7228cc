import { simulate } from '../../../scripts/shop/simulation.ts';
import type { ShopEvent, Truth } from '../../../scripts/shop/session.ts';
import type { StoredEvent } from './eventTable.ts';
import { utcDay } from '../../../runtime/units.ts';

/** An order line as the shop sent it; amounts in ten-thousandths, so that sums are exact. */
export interface SentLine {
  productId: string;
  quantity: number;
  unitPrice: number;
  discount?: number;
  searchId?: string;
}

/** One simulated event, parsed, with what truly caused it. Times in Unix milliseconds. */
export interface Fact {
  eventId: string;
  type: string;
  atMs: number;
  /** UTC day, YYYY-MM-DD. */
  day: string;
  segment: string;
  /** What its ids are unique in: the segment, or * if segments share them. */
  scope: string;
  sessionId: string;
  anonymousId: string;
  userId?: string;
  agreed: boolean;
  truth: Truth;
  /** The fields as sent. */
  sent: {
    searchId?: string;
    listId?: string;
    phrase?: string;
    resultsCount?: number;
    resultIds?: string[];
    products?: { productId: string; position: number }[];
    filters?: { field: string; values: string[] }[];
    productId?: string;
    position?: number;
    quantity?: number;
    orderId?: string;
    currency?: string;
    total?: number;
    tax?: number;
    shipping?: number;
    discount?: number;
    lines?: SentLine[];
    experiments?: { id: string; variant: string }[];
  };
}

export const FROM = '2026-11-02';
export const TO = '2026-11-04';
const START_MS = Date.parse('2026-10-31T00:00:00Z');
const END_MS = Date.parse('2026-11-06T00:00:00Z');

/**
 * Six days of the demo shop, of which reports are asked for the two in the middle: chains that begin before and end after
 * the period are part of the test.
 */
export function simulatedEvents(seed: number): ShopEvent[] {
  const events = simulate({
    seed,
    startMs: START_MS,
    untilMs: END_MS,
    eventsPerSecond: 0.09,
    badShare: 0,
    wholeShare: 0.5,
  });
  return [...events].filter(({ tenantId }) => tenantId === 'demo-shop');
}

/**
 * The same events as a shop would send them that forgets nothing: every click and cart add says its search or list, every
 * order line its search. Each visit is a visitor of its own, and visits that put a product in the cart twice are left out:
 * which of the two was bought is then known to nobody but the simulation.
 */
export function toldEvents(events: readonly ShopEvent[]): ShopEvent[] {
  const searchIds = new Map<string, string>();
  const carted = new Map<string, Set<string>>();
  const unclear = new Set<string>();
  for (const event of events) {
    const { sessionId, searchId, productId } = JSON.parse(event.json) as Fact['sent'] & { sessionId: string };
    if (event.type === 'Search') searchIds.set(event.eventId!, searchId!);
    if (event.type !== 'ProductAddedToCart') continue;
    const products = carted.get(sessionId) ?? new Set();
    if (products.has(productId!)) unclear.add(sessionId);
    carted.set(sessionId, products.add(productId!));
  }
  return events.flatMap((event) => {
    const { userId: _userId, ...value } = JSON.parse(event.json) as Fact['sent'] & {
      sessionId: string;
      userId?: string;
    };
    if (unclear.has(value.sessionId)) return [];
    const { truth } = event;
    if (truth.kind === 'click' || truth.kind === 'cart') Object.assign(value, why(truth, searchIds));
    if (truth.kind === 'order') {
      value.lines = value.lines!.map((line, index) => {
        const { searchId } = why(truth.lines[index]!, searchIds);
        return searchId === undefined ? line : { ...line, searchId };
      });
    }
    return [{ ...event, json: JSON.stringify({ ...value, anonymousId: `a-${value.sessionId}` }) }];
  });
}

function why(
  truth: { search?: string; list?: string },
  searchIds: ReadonlyMap<string, string>,
): { searchId?: string; listId?: string } {
  return truth.search === undefined ? { listId: truth.list! } : { searchId: searchIds.get(truth.search)! };
}

/**
 * The same events with two experiments: one of all visitors with two variants, and one of a third of them with three.
 * Some visits name two variants of the first.
 */
export function withExperiments(events: readonly ShopEvent[]): ShopEvent[] {
  return events.map((event, index) => {
    const value = JSON.parse(event.json) as { anonymousId: string; sessionId: string };
    const draw = hash(value.anonymousId);
    const mixed = hash(value.sessionId) % 17 === 0 && index % 2 === 0;
    const experiments = [{ id: 'ranking', variant: (draw % 2 === 0) === mixed ? 'b' : 'control' }];
    if (draw % 3 === 0) experiments.push({ id: 'badges', variant: ['control', 'red', 'green'][(draw >> 4) % 3]! });
    return { ...event, json: JSON.stringify({ ...value, experiments }) };
  });
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 2_166_136_261;
  for (const character of text) value = Math.imul(value ^ character.charCodeAt(0), 16_777_619);
  return value >>> 1;
}

export function stored(events: readonly ShopEvent[]): StoredEvent[] {
  return events.map(({ json, segmentId }) => ({ json, segmentId }));
}

/** Events as the independent calculation reads them. */
export function factsOf(events: readonly ShopEvent[], { sharedIds }: { sharedIds: boolean }): Fact[] {
  return events.map((event) => {
    const { sessionId, anonymousId, userId, consent, ...sent } = JSON.parse(event.json) as Fact['sent'] & {
      sessionId: string;
      anonymousId: string;
      userId?: string;
      consent: { personalization: boolean };
    };
    return {
      eventId: event.eventId!,
      type: event.type,
      atMs: event.atMs,
      day: utcDay(event.atMs),
      segment: event.segmentId,
      scope: sharedIds ? '*' : event.segmentId,
      sessionId,
      anonymousId,
      ...(userId === undefined ? {} : { userId }),
      agreed: consent.personalization,
      truth: event.truth,
      sent: sent.lines ? { ...sent, ...inTenThousandths(sent) } : sent,
    };
  });
}

function inTenThousandths(sent: Fact['sent']): Fact['sent'] {
  const amount = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : Math.round(value * 1e4);
  const all = {
    total: amount(sent.total),
    tax: amount(sent.tax),
    shipping: amount(sent.shipping),
    discount: amount(sent.discount),
  };
  const lines = sent.lines!.map((line) => ({ ...line, unitPrice: Math.round(line.unitPrice * 1e4) }));
  return { ...Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)), lines };
}

/** `1234500` as a decimal of four places: `"123.4500"`. */
export function decimal(tenThousandths: number): string {
  const digits = Math.abs(tenThousandths).toString().padStart(5, '0');
  return `${tenThousandths < 0 ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
