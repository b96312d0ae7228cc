import type { SendAnswer, SentBatch } from '../load/ledger.ts';
import type { QueryClient } from '../queryClient.ts';

/** Orders that count and refunds, in ten-thousandths, by tenant. */
export interface Sums {
  orders: number;
  revenue: bigint;
  refunds: number;
  refunded: bigint;
}

interface Fields {
  orderId: string;
  total?: number;
  amount?: number;
  test?: boolean;
  status?: string;
  lines?: { productId?: string; variantId?: string; unitPrice?: number }[];
}

const UNIT = 10_000;

/** The orders of acknowledged events, summed without SQL. */
export interface Books {
  accepted: (batch: SentBatch, answer: SendAnswer) => void;
  sums: (tenantId: string) => Sums;
}

/** Creates books of what a run sends. They know only what the simulation says of orders (shop/laterWords.ts). */
export function createBooks(): Books {
  const events = new Map<string, { type: string; atMs: number; value: Fields }[]>();
  return {
    accepted(batch, { rejected }) {
      const refused = new Set(rejected.map(({ index }) => index));
      const own = events.get(batch.tenantId) ?? [];
      events.set(batch.tenantId, own);
      for (const [index, { type, atMs, json }] of batch.events.entries())
        if (type.startsWith('Order') && !refused.has(index))
          own.push({ type, atMs, value: JSON.parse(json) as Fields });
    },
    sums(tenantId) {
      const told = (events.get(tenantId) ?? []).toSorted((a, b) => a.atMs - b.atMs);
      const orders = new Map<string, Fields>();
      for (const { type, value } of told) if (type === 'OrderCreated') orders.set(value.orderId, value);
      for (const { type, value } of told) if (type === 'OrderCorrected') correct(orders, value);
      for (const { type, value } of told) if (type === 'OrderCancelled') orders.delete(value.orderId);
      const counting = [...orders.values()].filter(({ test, status }) => test !== true && status !== 'On hold');
      const live = new Map(counting.map((order) => [order.orderId, order]));
      const amounts = told.flatMap(({ type, value }) => {
        const order = type === 'OrderRefunded' ? live.get(value.orderId) : undefined;
        return order ? [returned(value, order)] : [];
      });
      return {
        orders: counting.length,
        revenue: total(counting.map((order) => units(order.total!))),
        refunds: amounts.length,
        refunded: total(amounts),
      };
    },
  };
}

function correct(orders: Map<string, Fields>, value: Fields): void {
  const known = orders.get(value.orderId);
  if (known) orders.set(value.orderId, { ...known, ...value });
}

/** Amount of a refund: as it says, of one piece of its line, or of the whole order. */
function returned({ amount, lines }: Fields, order: Fields): bigint {
  if (amount !== undefined) return units(amount);
  const [back] = lines ?? [];
  if (!back) return units(order.total!);
  const line = order.lines!.find(
    ({ productId, variantId }) => productId === back.productId && variantId === back.variantId,
  );
  return units(line!.unitPrice!);
}

function units(amount: number): bigint {
  return BigInt(Math.round(amount * UNIT));
}

function total(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}

/** The same sums by the query server. */
export async function askSums(client: QueryClient, token: string): Promise<Sums> {
  const { rows } = await client.ask(
    token,
    `select (select count(*) from orders) as orders, (select coalesce(sum(total), 0) from orders) as revenue,
       (select count(*) from refunds) as refunds, (select coalesce(sum(amount), 0) from refunds) as refunded`,
  );
  const [orders, revenue, refunds, refunded] = rows[0]!;
  const exact = (amount: unknown): bigint => units(Number(amount));
  return {
    orders: Number(orders),
    revenue: exact(revenue),
    refunds: Number(refunds),
    refunded: exact(refunded),
  };
}

/** Differences between the books of a run and what the lake gained in it. Pure. */
export function bookFaults(
  tenantId: string,
  expected: Sums,
  { before, after }: { before: Sums; after: Sums },
): string[] {
  return (Object.keys(expected) as (keyof Sums)[]).flatMap((name) => {
    const gained = BigInt(after[name]) - BigInt(before[name]);
    if (gained === BigInt(expected[name])) return [];
    return [
      `${name} of ${tenantId} grew by ${gained}, and its acknowledged events say ${expected[name]} (money in 1/10,000)`,
    ];
  });
}
