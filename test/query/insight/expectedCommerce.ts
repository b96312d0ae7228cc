import { grouped } from './chains.ts';
import { wilson } from './expectedProduct.ts';
import type { GivenBack } from './laterWords.ts';
import { inPeriod, refundedOf, sum, type Asked } from './expectedSearch.ts';
import { decimal, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';

export function expectedRevenueTotals(asked: Asked): Row[] {
  const { orders, back } = asked.chains;
  return [{ currency: 'DKK', ...orderMetrics(orders.filter(inPeriod(asked)), back.filter(inPeriod(asked))) }];
}

export function expectedRevenueDaily(asked: Asked): Row[] {
  const days = grouped(asked.chains.orders.filter(inPeriod(asked)), ({ day }) => day);
  const back = asked.chains.back.filter(inPeriod(asked));
  return [...days].map(([date, orders]) => ({
    date,
    currency: 'DKK',
    ...orderMetrics(
      orders,
      back.filter(({ day }) => day === date),
    ),
  }));
}

export function expectedOrderStatus(asked: Asked): Row[] {
  const orders = asked.chains.facts.filter(({ type }) => type === 'OrderCreated');
  const told = [...orders.entries()].filter(([, order]) => inPeriod(asked)(order));
  const statusOf = (place: number): Row => {
    const [corrected, test, held] = [5, 6, 8].map((fate) => place % 9 === fate) as [boolean, boolean, boolean];
    return {
      state: place % 9 === 3 ? 'cancelled' : held ? 'pending' : 'live',
      status: corrected ? 'paid' : held ? 'On hold' : null,
      test,
      counts: place % 9 !== 3 && !test && !held,
    };
  };
  return [...grouped(told, ([place]) => JSON.stringify(statusOf(place)))].map(([status, group]) => ({
    currency: 'DKK',
    ...(JSON.parse(status) as Row),
    orders: group.length,
    total: decimal(sum(group.map(([place, { sent }]) => sent.total! + (place % 9 === 5 ? 20_000 : 0)))),
    corrected: group.filter(([place]) => [5, 6, 8].includes(place % 9)).length,
    amounts_differ: 0,
  }));
}

/** Simulated orders all tell tax and shipping; some tell a discount, none has discounts on lines. */
function orderMetrics(orders: readonly Fact[], back: readonly GivenBack[]): Row {
  const total = (field: 'total' | 'tax' | 'shipping' | 'discount'): number =>
    sum(orders.map(({ sent }) => sent[field] ?? 0));
  const lines = orders.flatMap(({ sent }) => sent.lines!);
  const goods = sum(lines.map(({ quantity, unitPrice }) => quantity * unitPrice));
  const items = sum(lines.map(({ quantity }) => quantity));
  const refunded = sum(back.map(({ amount }) => amount));
  const discounted = orders.some(({ sent }) => sent.discount !== undefined);
  return {
    orders: orders.length,
    revenue: decimal(total('total')),
    refunds: back.length,
    refunded: decimal(refunded),
    net_revenue: decimal(total('total') - refunded),
    average_order_value: total('total') / 1e4 / orders.length,
    items: decimal(items * 1e4),
    items_per_order: items / orders.length,
    goods_total: decimal(goods),
    goods_total_without_tax: decimal(0),
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
    const refunded = refundedOf(group, asked);
    const given = group.filter((line) => led.get(line)!.method === 'given');
    return {
      currency: 'DKK',
      prices_include_tax: null,
      source,
      list,
      order_lines: group.length,
      orders: new Set(group.map(({ order }) => order.sent.orderId)).size,
      quantity: decimal(sum(group.map(({ quantity }) => quantity)) * 1e4),
      revenue: decimal(revenue),
      refunded: decimal(refunded),
      net_revenue: decimal(revenue - refunded),
      share: revenue / all,
      given_share: sum(given.map(({ total }) => total)) / revenue,
    };
  });
}

export function expectedRepeatRate(asked: Asked): Row[] {
  const orders = asked.chains.orders.filter(inPeriod(asked));
  const customers = [
    ...grouped(orders, (order) =>
      order.userId === undefined ? asked.chains.visitorOf(order) : `${order.scope} user:${order.userId}`,
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
