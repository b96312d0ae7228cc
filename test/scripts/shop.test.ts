import { describe, expect, it } from 'vitest';
import { Judge } from '../../ingest/events/judge.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { FAULT_CODES } from '../../scripts/shop/badEvents.ts';
import { createRandom, zipf } from '../../scripts/shop/random.ts';
import type { ShopEvent, Truth } from '../../scripts/shop/session.ts';
import { SHOPS } from '../../scripts/shop/shops.ts';
import { simulate, type SimulationOptions } from '../../scripts/shop/simulation.ts';
import { uuid7 } from '../../scripts/shop/uuid7.ts';

const START = Date.UTC(2026, 10, 23);
const HOURS = 3_600_000;

function events(options: Partial<SimulationOptions> = {}): ShopEvent[] {
  return [...simulate({ seed: 1, startMs: START, untilMs: START + 6 * HOURS, eventsPerSecond: 1, ...options })];
}

type TruthOf<K extends Truth['kind']> = Extract<Truth, { kind: K }>;

function ofKind<K extends Truth['kind']>(
  all: ShopEvent[],
  kind: K,
): (ShopEvent & { truth: TruthOf<K>; value: Fields })[] {
  return all
    .filter((event): event is ShopEvent & { truth: TruthOf<K> } => event.truth.kind === kind)
    .map((event) => ({ ...event, value: JSON.parse(event.json) as Fields }));
}

interface Fields {
  eventId: string;
  timestamp: string;
  sessionId: string;
  searchId?: string;
  position?: number;
  resultsCount?: number;
  resultIds?: string[];
  productId?: string;
  products?: { productId: string }[];
  total?: number;
  shipping?: number;
  discount?: number;
  currency?: string;
  lines?: { productId: string; quantity: number; unitPrice: number; searchId?: string }[];
}

describe('random numbers', () => {
  it('repeat for a seed and differ between seeds', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, createRandom(seed).bits);
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('fork independently of what was drawn before', () => {
    const a = createRandom(7);
    const b = createRandom(7);
    b.bits();
    expect(a.fork('x').bits()).toBe(b.fork('x').bits());
    expect(a.fork('x').bits()).not.toBe(a.fork('y').bits());
  });

  it('are uniform, and Zipf where asked', () => {
    const random = createRandom(3);
    const values = Array.from({ length: 20_000 }, random.next);
    expect(values.reduce((sum, value) => sum + value) / values.length).toBeCloseTo(0.5, 1);
    const rank = zipf(100, 1);
    const counts = Array.from({ length: 100 }, () => 0);
    for (let i = 0; i < 50_000; i++) counts[rank(random)]!++;
    expect(counts[0]! / counts[1]!).toBeGreaterThan(1.8);
    expect(counts[0]! / counts[1]!).toBeLessThan(2.2);
    expect(counts[0]! / counts[9]!).toBeGreaterThan(8.5);
  });

  it('make version 7 UUIDs that sort by time', () => {
    const random = createRandom(1);
    const ids = [1, 2, 3].map((second) => uuid7(START + second * 1000, random));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([...ids].sort()).toEqual(ids);
    expect(parseInt(ids[0]!.replace('-', '').slice(0, 12), 16)).toBe(START + 1000);
  });
});

describe('the simulated shops', () => {
  const all = events();
  const searches = ofKind(all, 'search');
  const clicks = ofKind(all, 'click');
  const carts = ofKind(all, 'cart');
  const orders = ofKind(all, 'order');

  it('are the same for the same seed and differ for another', () => {
    expect(events()).toEqual(all);
    expect(events({ seed: 2 }).map(({ json }) => json)).not.toEqual(all.map(({ json }) => json));
  });

  it('come in order of time, at the wanted rate, never after the end', () => {
    for (let i = 1; i < all.length; i++) expect(all[i]!.atMs).toBeGreaterThanOrEqual(all[i - 1]!.atMs);
    expect(all.at(-1)!.atMs).toBeLessThanOrEqual(START + 6 * HOURS);
    expect(all.length / (6 * 3600)).toBeGreaterThan(0.9);
    expect(all.length / (6 * 3600)).toBeLessThan(1.1);
  });

  it('have ids and times of their own', () => {
    const ids = all.flatMap(({ eventId }) => eventId ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { value, atMs } of searches) expect(Date.parse(value.timestamp)).toBe(atMs);
  });

  it('share the events and have a currency each', () => {
    for (const shop of SHOPS) {
      const share = all.filter(({ tenantId }) => tenantId === shop.tenantId).length / all.length;
      expect(Math.abs(share - shop.share)).toBeLessThan(0.05);
      const own = orders.filter(({ tenantId }) => tenantId === shop.tenantId);
      expect(new Set(own.map(({ value }) => value.currency))).toEqual(new Set([shop.currency]));
    }
  });

  it('lead from searches to orders at the rates of real shops', () => {
    const clicked = new Set(clicks.flatMap(({ truth }) => truth.search ?? []));
    const throughRate = clicked.size / searches.length;
    expect(throughRate).toBeGreaterThan(0.3);
    expect(throughRate).toBeLessThan(0.6);
    expect(carts.length / clicks.length).toBeGreaterThan(0.12);
    expect(carts.length / clicks.length).toBeLessThan(0.2);
    const sessions = new Set(all.map(({ json }) => /"sessionId":"([^"]+)"/.exec(json)?.[1]));
    expect(orders.length / sessions.size).toBeGreaterThan(0.05);
    expect(orders.length / sessions.size).toBeLessThan(0.2);
    expect(searches.some(({ value }) => value.resultsCount === 0)).toBe(true);
  });

  it('are clicked most at the top', () => {
    const at = (position: number): number => clicks.filter(({ value }) => value.position === position).length;
    expect(at(1)).toBeGreaterThan(at(3));
    expect(at(3)).toBeGreaterThan(at(10));
  });

  it('keep the true chain of every click, cart add and order line', () => {
    const byId = new Map(all.map((event) => [event.eventId, event]));
    const [fromSearch, fromList] = [
      clicks.filter(({ truth }) => truth.search),
      clicks.filter(({ truth }) => !truth.search),
    ];
    expect(fromList.filter(({ truth }) => truth.list === undefined)).toEqual([]);
    for (const { truth, value } of fromSearch) {
      const search = JSON.parse(byId.get(truth.search)!.json) as Fields;
      expect(search.sessionId).toBe(value.sessionId);
      expect(search.resultIds![value.position! - 1]).toBe(value.productId);
      expect([undefined, search.searchId]).toContain(value.searchId);
    }
    for (const { truth, value } of carts) {
      const click = JSON.parse(byId.get(truth.click)!.json) as Fields;
      expect([click.sessionId, click.productId]).toEqual([value.sessionId, value.productId]);
    }
    for (const { truth, value } of orders) {
      expect(truth.lines.length).toBe(value.lines!.length);
      for (const [index, line] of truth.lines.entries()) {
        expect((JSON.parse(byId.get(line.cart)!.json) as Fields).productId).toBe(value.lines![index]!.productId);
      }
    }
    const named = carts.filter(({ truth }) => truth.search).filter(({ value }) => value.searchId);
    const searched = carts.filter(({ truth }) => truth.search);
    expect(named.length / searched.length).toBeGreaterThan(0.75);
    expect(named.length).toBeLessThan(searched.length); // some of them forget: attribution has something to infer
  });

  it('add up to the cent', () => {
    expect(orders.length).toBeGreaterThan(50);
    for (const { value } of orders) {
      const goods = value.lines!.reduce((sum, line) => sum + Math.round(line.unitPrice * 100) * line.quantity, 0);
      const extra = Math.round(value.shipping! * 100) - Math.round((value.discount ?? 0) * 100);
      expect(Math.round(value.total! * 100)).toBe(goods + extra);
    }
  });

  it('make every kind of fault in turn', () => {
    const codes = all.filter(({ expected }) => expected !== 'accepted').map(({ expected }) => expected);
    expect(new Set(codes)).toEqual(new Set(FAULT_CODES));
    expect(codes.length / all.length).toBeGreaterThan(0.006);
    expect(codes.length / all.length).toBeLessThan(0.014);
    expect(events({ badShare: 0 }).every(({ expected }) => expected === 'accepted')).toBe(true);
  });

  it('say more of orders later where asked, and are otherwise the same', () => {
    const told = events({ later: true });
    const words = ofKind(told, 'later');
    expect(told.filter(({ truth }) => truth.kind !== 'later')).toEqual(all);
    const placed = new Map(orders.map(({ eventId, value }) => [eventId, value as Fields & { orderId: string }]));
    for (const { atMs, keyKind, truth, value } of words) {
      const order = placed.get(truth.order)!;
      expect([keyKind, (value as { orderId?: string }).orderId]).toEqual(['server', order.orderId]);
      expect(atMs).toBeGreaterThan(Date.parse(order.timestamp));
    }
    expect(new Set(words.map(({ type }) => type))).toEqual(
      new Set(['OrderRefunded', 'OrderCancelled', 'OrderCorrected']),
    );
    expect(words.length / orders.length).toBeGreaterThan(0.1);
    expect(words.length / orders.length).toBeLessThan(0.4);
    const judge = new Judge(createRegistry());
    for (const word of words) expect(verdictOf(judge, word)).toBe('accepted');
  });

  it('get exactly the verdicts they expect', () => {
    const judge = new Judge(createRegistry());
    for (const event of [...all.slice(0, 2_000), ...all.filter(({ expected }) => expected !== 'accepted')]) {
      expect([verdictOf(judge, event), event.json.slice(0, 200)]).toEqual([event.expected, event.json.slice(0, 200)]);
    }
  });
});

describe('a shop that tells everything', () => {
  const plain = events();
  /** As many visits, at the same times: 9.12 events a visit instead of 4.12. */
  const whole = events({ wholeShare: 1, eventsPerSecond: 9.12 / 4.12 });
  const valueOf = (event: ShopEvent): Fields => JSON.parse(event.json) as Fields;
  const byId = new Map(whole.map((event) => [event.eventId, event]));

  it('sends the same visits, and more about them', () => {
    const visits = new Set(whole.map((event) => (event.expected === 'accepted' ? valueOf(event).sessionId : '')));
    const known = plain.filter((event) => event.expected === 'accepted' && visits.has(valueOf(event).sessionId));
    expect(known.length).toBeGreaterThan(1000);
    for (const { eventId, atMs, type } of known) expect(byId.get(eventId)).toMatchObject({ atMs, type });
    const types = new Set(whole.map(({ type }) => type));
    for (const type of ['ProductsShown', 'ProductViewed', 'ProductRemovedFromCart', 'CheckoutStarted'])
      expect(types).toContain(type);
    expect(whole.length / (6 * 3600)).toBeGreaterThan(2);
    expect(whole.length / (6 * 3600)).toBeLessThan(2.4);
  });

  it('shows each result that is clicked, and tells events that the receiver takes', () => {
    const judge = new Judge(createRegistry());
    const shown = ofKind(whole, 'shown');
    const key = (search: string | undefined, { productId }: { productId?: string }): string => `${search} ${productId}`;
    const seen = new Set(shown.flatMap(({ truth, value }) => value.products!.map((one) => key(truth.search, one))));
    const clicks = ofKind(whole, 'click').filter(({ truth }) => truth.search);
    expect(clicks.filter(({ truth, value }) => !seen.has(key(truth.search, value)))).toEqual([]);
    for (const event of whole.slice(0, 2_000)) expect(verdictOf(judge, event)).toBe(event.expected);
    expect(whole.every((event) => event.expected !== 'accepted' || event.json.includes('"ranking"'))).toBe(true);
  });
});

/** What the Event Receiver's own judge says, an hour after the last event. */
function verdictOf(judge: Judge, event: ShopEvent): string {
  const { rejected } = judge.judge({
    events: [JSON.parse(event.json)],
    receivedAtMs: START + 7 * HOURS,
    skewMs: 0,
    keyKind: event.keyKind ?? 'browser',
  });
  return rejected[0]?.code ?? 'accepted';
}
