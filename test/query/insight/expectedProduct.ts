import { grouped } from './chains.ts';
import { inPeriod, mean, sum, type Asked } from './expectedSearch.ts';
import { decimal, FROM, TO, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';

interface Unit {
  clicks: Fact[];
  carted: boolean;
  bought: boolean;
}

/** Visits by what was clicked in them, and whether these very clicks led to a cart add and an order line. */
function units(asked: Asked, keyOf: (click: Fact) => string): Unit[] {
  const { chains } = asked;
  const carted = new Set(chains.carts.map((cart) => chains.led.get(cart)!.click));
  const bought = new Set(chains.lines.map((line) => chains.led.get(line)!.click));
  const clicks = chains.clicks.filter(inPeriod(asked));
  return [...grouped(clicks, (click) => `${keyOf(click)}\n${click.sessionId}`).values()].map((group) => ({
    clicks: group,
    carted: group.some(({ eventId }) => carted.has(eventId)),
    bought: group.some(({ eventId }) => bought.has(eventId)),
  }));
}

export function expectedFunnel(asked: Asked): Row[] {
  const all = units(asked, ({ sent }) => sent.productId!);
  return [...grouped(all, ({ clicks }) => clicks[0]!.sent.productId!)].map(([productId, group]) => ({
    product_id: productId,
    clicks: sum(group.map(({ clicks }) => clicks.length)),
    ...funnel(group),
  }));
}

export function expectedListFunnel(asked: Asked): Row[] {
  const { led } = asked.chains;
  const place = (click: Fact): string =>
    JSON.stringify([led.get(click)!.source, led.get(click)!.list ?? null, click.sent.productId]);
  return [...grouped(units(asked, place), ({ clicks }) => place(clicks[0]!))].map(([key, group]) => {
    const [source, list, productId] = JSON.parse(key) as [string, string | null, string];
    const clicks = group.flatMap((unit) => unit.clicks);
    return {
      source,
      list,
      product_id: productId,
      clicks: clicks.length,
      average_position: mean(clicks.map(({ sent }) => sent.position!)),
      ...funnel(group),
    };
  });
}

function funnel(group: readonly Unit[]): Row {
  const count = (holds: (unit: Unit) => boolean): number => group.filter(holds).length;
  const carted = count((unit) => unit.carted);
  const bought = count((unit) => unit.bought);
  const [cartLow, cartHigh] = wilson(carted, group.length);
  const [orderLow, orderHigh] = wilson(bought, group.length);
  return {
    visits: group.length,
    carted,
    bought,
    cart_rate: carted / group.length,
    cart_rate_low: cartLow,
    cart_rate_high: cartHigh,
    order_rate: bought / group.length,
    order_rate_low: orderLow,
    order_rate_high: orderHigh,
    cart_to_order_rate: carted === 0 ? null : count((unit) => unit.carted && unit.bought) / carted,
  };
}

/** Solves (p - s/n)² = z² p (1 - p) / n for p, the definition of Wilson's interval, by its two roots. */
export function wilson(successes: number, trials: number): [number, number] {
  const z2 = 1.959963984540054 ** 2;
  const share = successes / trials;
  const a = 1 + z2 / trials;
  const b = -(2 * share + z2 / trials);
  const root = Math.sqrt(b * b - 4 * a * share * share);
  return [Math.max(0, (-b - root) / (2 * a)), Math.min(1, (-b + root) / (2 * a))];
}

export function expectedTrend(asked: Asked): Row[] {
  const { chains, segment } = asked;
  const length = Date.parse(TO) - Date.parse(FROM);
  const within = (fact: Fact, from: number): boolean =>
    fact.atMs >= from && fact.atMs < from + length && (segment ?? fact.segment) === fact.segment;
  const before = Date.parse(FROM) - length;
  const products = new Map<string, { clicks: Fact[]; lines: { order: Fact }[] }>();
  const entry = (productId: string): { clicks: Fact[]; lines: { order: Fact }[] } => {
    const known = products.get(productId) ?? { clicks: [], lines: [] };
    products.set(productId, known);
    return known;
  };
  const either = (fact: Fact): boolean => within(fact, Date.parse(FROM)) || within(fact, before);
  for (const click of chains.clicks) if (either(click)) entry(click.sent.productId!).clicks.push(click);
  for (const line of chains.lines) if (either(line.order)) entry(line.productId).lines.push(line);
  return [...products].map(([productId, { clicks, lines }]) => {
    const clicksIn = (from: number): Fact[] => clicks.filter((click) => within(click, from));
    const ordersIn = (from: number): number =>
      new Set(lines.filter(({ order }) => within(order, from)).map(({ order }) => order.sent.orderId)).size;
    const now = clicksIn(Date.parse(FROM));
    const old = clicksIn(before).length;
    const [orders, ordersOld] = [ordersIn(Date.parse(FROM)), ordersIn(before)];
    const perDay = ['2026-11-02', '2026-11-03'].map((day) => now.filter((click) => click.day === day).length);
    return {
      product_id: productId,
      clicks: now.length,
      clicks_before: old,
      clicks_change: old === 0 ? null : now.length / old - 1,
      // The line through two points.
      click_slope: perDay[1]! - perDay[0]!,
      orders,
      orders_before: ordersOld,
      orders_change: ordersOld === 0 ? null : orders / ordersOld - 1,
    };
  });
}

export function expectedProductRevenue(asked: Asked): Row[] {
  const lines = asked.chains.lines.filter(({ order }) => inPeriod(asked)(order));
  const all = sum(lines.map(({ total }) => total));
  const back = asked.chains.back
    .filter(inPeriod(asked))
    .flatMap(({ order, lines: own }) =>
      [...own].map(([number, amount]) => ({ productId: order.sent.lines![number - 1]!.productId, amount })),
    );
  const products = new Set([...lines, ...back].map(({ productId }) => productId));
  return [...products].map((productId) => {
    const group = lines.filter((line) => line.productId === productId);
    const revenue = sum(group.map(({ total }) => total));
    const refunded = sum(back.filter((one) => one.productId === productId).map(({ amount }) => amount));
    return {
      product_id: productId,
      currency: 'DKK',
      prices_include_tax: null,
      orders: new Set(group.map(({ order }) => order.sent.orderId)).size,
      quantity: decimal(sum(group.map(({ quantity }) => quantity)) * 1e4),
      revenue: decimal(revenue),
      refunded: decimal(refunded),
      net_revenue: decimal(revenue - refunded),
      share: revenue / all,
    };
  });
}
