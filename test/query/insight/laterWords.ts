import type { ShopEvent } from '../../../scripts/shop/session.ts';
import { utcDay } from '../../../runtime/units.ts';
import type { Fact, SentLine } from './ledger.ts';
import type { StoredEvent } from './eventTable.ts';

const HOUR_MS = 3_600_000;

/** What was given back, in ten-thousandths; by number of the order's line, from 1. */
export interface GivenBack {
  order: Fact;
  atMs: number;
  day: string;
  segment: string;
  amount: number;
  lines: ReadonlyMap<number, number>;
}

/** What becomes of an order, by its place among all orders: events of the backend, and what they change. */
interface Fate {
  words: (order: Order) => Record<string, unknown>[];
  /** The order as it counts then; undefined if it no longer does. */
  counts?: (order: Fact) => Fact | undefined;
  /** Amounts by line; a number alone belongs to no line. */
  back?: (lines: readonly SentLine[], order: Fact) => { amount: number; lines?: ReadonlyMap<number, number> };
}

interface Order {
  orderId: string;
  currency: string;
  total: number;
  lines: { productId: string; variantId?: string; quantity: number; unitPrice: number }[];
}

const amountOf = ({ quantity, unitPrice }: SentLine): number => quantity * unitPrice;
const NOTHING: Fate = { words: () => [] };

const FATES: readonly Fate[] = [
  NOTHING,
  {
    // One piece of the first line, told twice.
    words: ({ lines: [first] }) => {
      const { productId, variantId } = first!;
      const lines = [{ productId, ...(variantId === undefined ? {} : { variantId }), quantity: 1 }];
      return [1, 2].map(() => ({ type: 'OrderRefunded', refundId: 'r-1', lines }));
    },
    back: ([first]) => ({ amount: first!.unitPrice, lines: new Map([[1, first!.unitPrice]]) }),
  },
  NOTHING,
  { words: () => [{ type: 'OrderCancelled', reason: 'out of stock' }], counts: () => undefined },
  {
    words: () => [{ type: 'OrderRefunded' }],
    back: (lines, order) => ({
      amount: order.sent.total!,
      lines: new Map(lines.map((line, index) => [index + 1, amountOf(line)])),
    }),
  },
  {
    words: ({ total, lines }) => [
      { type: 'OrderCorrected', total: Number((total + 2).toFixed(2)), status: 'paid' },
      { type: 'OrderCorrected', lines: [...lines, { kind: 'fee', name: 'Wrapping', quantity: 1, unitPrice: 2 }] },
    ],
    counts: (order) => ({ ...order, sent: { ...order.sent, total: order.sent.total! + 20_000 } }),
  },
  { words: () => [{ type: 'OrderCorrected', test: true }], counts: () => undefined },
  { words: () => [{ type: 'OrderRefunded', amount: 1.11 }], back: () => ({ amount: 11_100 }) },
  { words: () => [{ type: 'OrderCorrected', status: 'On hold' }], counts: () => undefined },
];

function fateOf(place: number): Fate {
  return FATES[place % FATES.length]!;
}

function afterMs(place: number): number {
  return (1 + (place % 30)) * HOUR_MS;
}

/** What the backend says of the orders later, as it is stored. */
export function laterWords(events: readonly ShopEvent[]): StoredEvent[] {
  const orders = events.filter(({ type }) => type === 'OrderCreated');
  return orders.flatMap(({ json, atMs, segmentId }, place) => {
    const order = JSON.parse(json) as Order;
    return fateOf(place)
      .words(order)
      .map((word, number): StoredEvent => {
        const eventId = `00000000-0000-7000-9000-${String(place * 10 + number).padStart(12, '0')}`;
        const timestamp = new Date(atMs + afterMs(place)).toISOString();
        const event = { eventId, timestamp, orderId: order.orderId, ...word };
        return { json: JSON.stringify(event), segmentId, keyKind: 'server', keyId: 'backend' };
      });
  });
}

/** The orders that count in the end, as they count, and what was given back of them. */
export function inTheEnd(orders: readonly Fact[]): { orders: Fact[]; back: GivenBack[] } {
  const counting: Fact[] = [];
  const back: GivenBack[] = [];
  for (const [place, told] of orders.entries()) {
    const fate = fateOf(place);
    const order = fate.counts ? fate.counts(told) : told;
    if (!order) continue;
    counting.push(order);
    const given = fate.back?.(order.sent.lines!, order);
    const atMs = order.atMs + afterMs(place);
    if (given) back.push({ order, atMs, day: utcDay(atMs), segment: order.segment, lines: new Map(), ...given });
  }
  return { orders: counting, back };
}

/** Amounts given back by order line. */
export function backByLine(back: readonly GivenBack[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { order, lines } of back) {
    for (const [number, amount] of lines) {
      const line = `${order.eventId} ${number}`;
      sums.set(line, (sums.get(line) ?? 0) + amount);
    }
  }
  return sums;
}
