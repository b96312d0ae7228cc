import { grouped } from './chains.ts';
import { wilson } from './expectedProduct.ts';
import { inPeriod, sum, type Asked } from './expectedSearch.ts';
import { decimal, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';

export function expectedRevenueTotals(asked: Asked): Row[] {
  return [{ currency: 'DKK', ...orderMetrics(asked.chains.orders.filter(inPeriod(asked))) }];
}

export function expectedRevenueDaily(asked: Asked): Row[] {
  const days = grouped(asked.chains.orders.filter(inPeriod(asked)), ({ day }) => day);
  return [...days].map(([date, orders]) => ({ date, currency: 'DKK', ...orderMetrics(orders) }));
}

/** Simulated orders all tell tax and shipping; some tell a discount, none has discounts on lines. */
function orderMetrics(orders: readonly Fact[]): Row {
  const total = (field: 'total' | 'tax' | 'shipping' | 'discount'): number =>
    sum(orders.map(({ sent }) => sent[field] ?? 0));
  const lines = orders.flatMap(({ sent }) => sent.lines!);
  const goods = sum(lines.map(({ quantity, unitPrice }) => quantity * unitPrice));
  const items = sum(lines.map(({ quantity }) => quantity));
  const discounted = orders.some(({ sent }) => sent.discount !== undefined);
  return {
    orders: orders.length,
    revenue: decimal(total('total')),
    average_order_value: total('total') / 1e4 / orders.length,
    items: decimal(items * 1e4),
    items_per_order: items / orders.length,
    goods_total: decimal(goods),
    discount: discounted ? decimal(total('discount')) : null,
    discount_share: discounted ? total('discount') / goods : null,
    tax: decimal(total('tax')),
    tax_share: total('tax') / total('total'),
    shipping: decimal(total('shipping')),
    shipping_share: total('shipping') / total('total'),
  };
}

export function expectedRevenueSources(asked: Asked): Row[] {
  const { led, lines } = asked.chains;
  const own = lines.filter(({ order }) => inPeriod(asked)(order));
  const all = sum(own.map(({ total }) => total));
  const key = (line: (typeof lines)[number]): string =>
    JSON.stringify([led.get(line)!.source, led.get(line)!.list ?? null]);
  return [...grouped(own, key)].map(([place, group]) => {
    const [source, list] = JSON.parse(place) as [string, string | null];
    const revenue = sum(group.map(({ total }) => total));
    const given = group.filter((line) => led.get(line)!.method === 'given');
    return {
      currency: 'DKK',
      source,
      list,
      order_lines: group.length,
      orders: new Set(group.map(({ order }) => order.sent.orderId)).size,
      quantity: decimal(sum(group.map(({ quantity }) => quantity)) * 1e4),
      revenue: decimal(revenue),
      share: revenue / all,
      given_share: sum(given.map(({ total }) => total)) / revenue,
    };
  });
}

export function expectedRepeatRate(asked: Asked): Row[] {
  const orders = asked.chains.orders.filter(inPeriod(asked));
  const customers = [
    ...grouped(orders, (order) =>
      order.userId === undefined ? asked.chains.visitorOf(order) : `user:${order.userId}`,
    ).values(),
  ];
  const repeat = customers.filter((own) => own.length > 1).length;
  const [low, high] = wilson(repeat, customers.length);
  return [
    {
      customers: customers.length,
      orders: orders.length,
      repeat_customers: repeat,
      repeat_rate: repeat / customers.length,
      repeat_rate_low: low,
      repeat_rate_high: high,
      orders_per_customer: orders.length / customers.length,
    },
  ];
}
