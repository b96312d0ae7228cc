import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { Judge } from '../../ingest/events/judge.ts';
import { createRegistry } from '../../schemas/registry.ts';

const judge = new Judge(createRegistry());
const NOW = Date.parse('2026-11-23T10:00:00.000Z');

function judged(events: readonly object[]): { accepted: number; kinds: Set<string>; faults: string[] } {
  const common = { timestamp: '2026-11-23T09:59:59.900Z' };
  const { lineEnds, rejected, corrected } = judge.judge({
    events: events.map((event) => ({ eventId: randomUUID(), ...common, ...event })),
    receivedAtMs: NOW,
    skewMs: 0,
  });
  return {
    accepted: lineEnds.length,
    kinds: new Set(corrected.map(({ kind }) => kind)),
    faults: rejected.map(({ message }) => message),
  };
}

/** Rows of a search log in the form of User Behavior Insights 1.3: query, then clicks with ordinals from 0. */
const QUERIES = [
  ['futon frames full size without mattress', 128],
  ['women’s 鞋 👟', null],
  [`${'long tail '.repeat(150)}`, undefined],
  ['', 0],
] as const;

it('a search log is taken as it is: unknown counts, ordinals from 0, numbers as ids, null for what is not known', () => {
  const events = QUERIES.flatMap(([phrase, hits], query) => [
    {
      type: 'Search',
      searchId: randomUUID(),
      anonymousId: randomUUID(),
      sessionId: null,
      phrase,
      resultsCount: hits,
      resultIds: Array.from({ length: 100 * (query + 1) }, (_, index) => 10_000_000 + index),
      filters: null,
      page: 0,
      properties: { application: 'sample', query_attributes: {}, score: 0.1 + 0.2 },
    },
    {
      type: 'ProductClicked',
      searchId: randomUUID(),
      anonymousId: randomUUID(),
      productId: 10_000_000 + query,
      position: query,
      price: null,
    },
    {
      type: 'ProductAddedToCart',
      userId: 4711,
      productId: `B0${query}`,
      quantity: '1',
      currency: 'usd',
      unitPrice: '',
    },
  ]);
  const { accepted, kinds, faults } = judged(events);
  expect(faults).toEqual([]);
  expect(accepted).toBe(events.length);
  expect(kinds).toEqual(new Set(['empty', 'retyped', 'respelled', 'shortened', 'left_out']));
});

it('a month of invoices is taken: plain sums as totals, customers as decimals, more than 500 lines', () => {
  const invoices = [1, 30, 540, 1_114].map((count, at) => {
    const lines = Array.from({ length: count }, (_, index) => ({
      productId: index % 3 === 0 ? `${85_000 + index}A` : 22_000 + index,
      name: 'WHITE HANGING HEART T-LIGHT HOLDER',
      quantity: (index % 12) + 1,
      unitPrice: [2.55, 0.85, 0.001, 1.0666666][index % 4],
    }));
    const total = lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice!, 0);
    const userId = at % 2 === 0 ? '17850.0' : '';
    return { type: 'OrderCreated', orderId: 536_365 + at, userId, sessionId: 's', currency: 'gbp', total, lines };
  });
  const { accepted, kinds, faults } = judged(invoices);
  expect(faults).toEqual([]);
  expect(accepted).toBe(invoices.length);
  expect([...kinds].sort()).toEqual(['empty', 'respelled', 'retyped', 'rounded']);
});
