interface SentOrder {
  type: string;
  orderId: string;
  currency?: string;
  total: number;
  test?: boolean;
  pricesIncludeTax?: boolean;
  lines: { quantity: number; unitPrice: number; discount?: number }[];
}

interface SentRefund {
  orderId: string;
  currency?: string;
  amount?: number;
  lines?: { amount?: number }[];
}

/** What the orders and refunds of one currency come to, in ten-thousandths, so that it is exact. */
export interface Money {
  orders: number;
  revenue: bigint;
  refunded: bigint;
  items: bigint;
  goods: bigint;
  goodsWithoutTax: bigint;
}

export const NO_MONEY: Money = { orders: 0, revenue: 0n, refunded: 0n, items: 0n, goods: 0n, goodsWithoutTax: 0n };

/** Money of orders and refunds as they were sent, by currency, calculated without any floating sum. */
export function expectedMoney(events: readonly Record<string, unknown>[]): Map<string, Money> {
  const byCurrency = new Map<string, Money>();
  const sumOf = (currency: string | undefined): Money => {
    const key = String(currency ?? null);
    const sum = byCurrency.get(key) ?? { ...NO_MONEY };
    byCurrency.set(key, sum);
    return sum;
  };
  const orders = events.filter(({ type }) => type === 'OrderCreated') as unknown as SentOrder[];
  // Extreme order ids are the same in every event type.
  const isCancellation = ({ type, lines }: Record<string, unknown>): boolean =>
    type === 'OrderCancelled' && lines === undefined;
  const cancelled = new Set(events.filter(isCancellation).map(({ orderId }) => orderId));
  const counts = ({ orderId, test }: SentOrder): boolean => !test && !cancelled.has(orderId);
  for (const { currency, total, lines, pricesIncludeTax } of orders.filter(counts)) {
    const sum = sumOf(currency);
    sum.orders += 1;
    sum.revenue += unscaled(total);
    for (const { quantity, unitPrice, discount = 0 } of lines) {
      const goods = rounded(unscaled(quantity) * unscaled(unitPrice)) - unscaled(discount);
      sum.items += unscaled(quantity);
      if (pricesIncludeTax === false) sum.goodsWithoutTax += goods;
      else sum.goods += goods;
    }
  }
  const known = new Map(orders.map((order) => [order.orderId, order]));
  const isRefund = ({ type, lines }: Record<string, unknown>): boolean =>
    type === 'OrderRefunded' || (type === 'OrderCancelled' && lines !== undefined);
  for (const { orderId, currency, amount, lines } of events.filter(isRefund) as unknown as SentRefund[]) {
    const order = known.get(orderId);
    if (order && !counts(order)) continue;
    const stated = (lines ?? []).flatMap((line) => line.amount ?? []).reduce((sum, one) => sum + unscaled(one), 0n);
    const rest = order && order.total > 0 ? unscaled(order.total) : 0n;
    sumOf(currency ?? order?.currency).refunded += amount === undefined ? (order ? rest : stated) : unscaled(amount);
  }
  return byCurrency;
}

/** `"123.4500"` as 1234500n. */
export function tenThousandths(decimal: string): bigint {
  const [whole = '', fraction = ''] = decimal.split('.');
  return BigInt(`${whole}${fraction.padEnd(4, '0')}`);
}

function unscaled(value: number): bigint {
  return BigInt(Math.round(value * 1e4));
}

/** A product of eight decimals to four, half away from zero. */
function rounded(product: bigint): bigint {
  return product < 0n ? -rounded(-product) : (product + 5_000n) / 10_000n;
}
