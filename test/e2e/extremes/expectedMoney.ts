interface SentOrder {
  type: string;
  orderId: string;
  currency: string;
  total: number;
  lines: { productId: string; quantity: number; unitPrice: number; discount?: number }[];
}

/** What the orders of one currency come to, in ten-thousandths, so that it is exact. */
export interface Money {
  orders: number;
  revenue: bigint;
  items: bigint;
  goods: bigint;
}

/** Money of orders as it was sent, by currency, calculated without any floating sum. */
export function expectedMoney(events: readonly Record<string, unknown>[]): Map<string, Money> {
  const byCurrency = new Map<string, Money>();
  for (const { currency, total, lines } of events as unknown as SentOrder[]) {
    const sum = byCurrency.get(currency) ?? { orders: 0, revenue: 0n, items: 0n, goods: 0n };
    sum.orders += 1;
    sum.revenue += unscaled(total);
    for (const { quantity, unitPrice, discount = 0 } of lines) {
      sum.items += unscaled(quantity);
      sum.goods += rounded(unscaled(quantity) * unscaled(unitPrice)) - unscaled(discount);
    }
    byCurrency.set(currency, sum);
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
