import { inTheEnd, type GivenBack } from './laterWords.ts';
import type { Fact, SentLine } from './ledger.ts';
import { DAY_MS, MINUTE_MS } from '../../../runtime/units.ts';

/** What led to a click, cart add or order line. `click` and `cart` are event ids. */
export interface Led {
  source: 'search' | 'list' | 'none';
  searchKey?: string;
  list?: string;
  method: 'given' | 'inferred' | 'none';
  click?: string;
  cart?: string;
}

/** An order line with the order it is of, numbered from 1. `total` is quantity * unitPrice, in ten-thousandths. */
export interface Line extends SentLine {
  order: Fact;
  number: number;
  total: number;
}

/** Everything reports are made of, calculated without SQL. */
export interface Chains {
  searches: Fact[];
  clicks: Fact[];
  carts: Fact[];
  /** The orders that count in the end. */
  orders: Fact[];
  /** What was given back of them. */
  back: GivenBack[];
  lines: Line[];
  led: Map<Fact | Line, Led>;
  /** `<scope> <visitor_id>`. */
  visitorOf: (fact: Fact) => string;
  facts: Fact[];
}

/** Attribution by the simulation's ground truth: only for events that told everything (toldEvents). */
export function chainsByTruth(facts: readonly Fact[]): Chains {
  const chains = chainsWithout(facts);
  const searchIds = new Map(chains.searches.map((search) => [search.eventId, search.sent.searchId!]));
  const led = (truth: { search?: string; list?: string }, more: Partial<Led>): Led => ({
    ...(truth.search === undefined
      ? { source: 'list' as const, list: truth.list! }
      : { source: 'search' as const, searchKey: searchIds.get(truth.search)! }),
    method: 'given',
    ...more,
  });
  for (const click of chains.clicks) {
    if (click.truth.kind === 'click') chains.led.set(click, led(click.truth, { click: click.eventId }));
  }
  for (const cart of chains.carts) {
    if (cart.truth.kind === 'cart')
      chains.led.set(cart, led(cart.truth, { click: cart.truth.click, cart: cart.eventId }));
  }
  for (const order of chains.orders) {
    if (order.truth.kind !== 'order') continue;
    const truths = order.truth.lines;
    chains.lines
      .filter((line) => line.order === order)
      .forEach((line, index) => {
        const truth = truths[index]!;
        // A line has no field for a list, so that lists are known through the cart only.
        const method = truth.search === undefined ? 'inferred' : 'given';
        chains.led.set(line, led(truth, { method, click: truth.click, cart: truth.cart }));
      });
  }
  return chains;
}

/** Attribution by the published rules, one event at a time. */
export function chainsByRules(facts: readonly Fact[]): Chains {
  const chains = chainsWithout(facts);
  const { searches, clicks, carts, lines, led, visitorOf } = chains;
  const searchesByVisitor = grouped(searches, visitorOf);
  const inferred = (fact: Fact): Partial<Led> | undefined => {
    const before = (searchesByVisitor.get(visitorOf(fact)) ?? []).filter(
      (search) => search.atMs <= fact.atMs && fact.atMs - search.atMs <= 30 * MINUTE_MS,
    );
    const listing = last(before.filter((search) => search.sent.resultIds?.includes(fact.sent.productId!)));
    // Every simulated search sends resultIds, so the rule "last_search" never applies here.
    return listing && { source: 'search', searchKey: listing.sent.searchId!, method: 'inferred' };
  };
  const own = ({ searchId, listId }: { searchId?: string; listId?: string }): Led | undefined => {
    if (searchId !== undefined) return { source: 'search', searchKey: searchId, method: 'given' };
    return listId === undefined ? undefined : { source: 'list', list: listId, method: 'given' };
  };
  const nothing: Led = { source: 'none', method: 'none' };
  const passedOn = (from: Led): Led => ({ ...from, method: from.method === 'none' ? 'none' : 'inferred' });

  for (const click of clicks) {
    led.set(click, { ...(own(click.sent) ?? { ...nothing, ...inferred(click) }), click: click.eventId });
  }
  const clicksByVisit = grouped(clicks, (click) => `${click.sessionId} ${click.sent.productId}`);
  for (const cart of carts) {
    const before = clicksByVisit.get(`${cart.sessionId} ${cart.sent.productId}`) ?? [];
    const click = last(before.filter((one) => one.atMs <= cart.atMs));
    const found = own(cart.sent) ?? (click ? passedOn(led.get(click)!) : { ...nothing, ...inferred(cart) });
    led.set(cart, { ...found, ...(click ? { click: click.eventId } : {}), cart: cart.eventId });
  }
  const byVisitor = (fact: Fact): string => `${visitorOf(fact)} ${fact.sent.productId}`;
  const cartsByVisitor = grouped(carts, byVisitor);
  const clicksByVisitor = grouped(clicks, byVisitor);
  for (const line of lines) {
    const key = `${visitorOf(line.order)} ${line.productId}`;
    const recent = (facts: Fact[] | undefined): Fact | undefined => {
      const latest = last((facts ?? []).filter((fact) => fact.atMs <= line.order.atMs));
      return latest && line.order.atMs - latest.atMs <= 7 * DAY_MS ? latest : undefined;
    };
    const step = recent(cartsByVisitor.get(key)) ?? recent(clicksByVisitor.get(key));
    const from = step && led.get(step)!;
    const { click, cart } = from ?? {};
    led.set(line, {
      ...(own(line) ?? (from ? passedOn(from) : nothing)),
      ...(click === undefined ? {} : { click }),
      ...(cart === undefined ? {} : { cart }),
    });
  }
  return chains;
}

function chainsWithout(facts: readonly Fact[]): Chains {
  const of = (type: string): Fact[] => facts.filter((fact) => fact.type === type);
  const { orders, back } = inTheEnd(of('OrderCreated'));
  return {
    searches: of('Search'),
    clicks: of('ProductClicked'),
    carts: of('ProductAddedToCart'),
    orders,
    back,
    lines: orders.flatMap((order) =>
      order.sent.lines!.map((line, index) => ({
        ...line,
        order,
        number: index + 1,
        total: line.quantity * line.unitPrice,
      })),
    ),
    led: new Map(),
    visitorOf: visitors(facts),
    facts: [...facts],
  };
}

/** A visitor is the customer of the latest event with both ids and consent, if the latest consent is not a refusal. */
function visitors(facts: readonly Fact[]): (fact: Fact) => string {
  const users = new Map<string, string>();
  for (const [anonymousId, own] of grouped(facts, ({ scope, anonymousId }) => `${scope} ${anonymousId}`)) {
    const latest = last(own)!;
    const linked = last(own.filter((fact) => fact.agreed && fact.userId !== undefined));
    const refusedAt = Math.max(-Infinity, ...own.filter((fact) => !fact.agreed).map((fact) => fact.atMs));
    if (latest.agreed && refusedAt < latest.atMs && linked) users.set(anonymousId, linked.userId!);
  }
  return ({ scope, anonymousId }) => {
    const user = users.get(`${scope} ${anonymousId}`);
    return `${scope} ${user === undefined ? `anon:${anonymousId}` : `user:${user}`}`;
  };
}

/** The latest fact; of several at one moment that with the largest event id, or searchId where it is a search. */
export function last(facts: readonly Fact[]): Fact | undefined {
  const tie = (fact: Fact): string => (fact.sent.phrase === undefined ? fact.eventId : fact.sent.searchId!);
  return facts.reduce<Fact | undefined>(
    (best, fact) =>
      !best || fact.atMs > best.atMs || (fact.atMs === best.atMs && tie(fact) > tie(best)) ? fact : best,
    undefined,
  );
}

export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
