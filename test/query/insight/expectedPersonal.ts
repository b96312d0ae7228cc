import { grouped, last } from './chains.ts';
import { inPeriod, mean, sum, type Asked } from './expectedSearch.ts';
import { decimal, FROM, TO, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';

export function expectedInteractions(asked: Asked): Row[] {
  const { chains } = asked;
  const refused = new Set(
    [...grouped(chains.facts, chains.visitorOf)]
      .filter(([, own]) => {
        const latest = last(own)!;
        return !latest.agreed || own.some((fact) => !fact.agreed && fact.atMs === latest.atMs);
      })
      .map(([visitor]) => visitor),
  );
  const kept = (fact: Fact): boolean => inPeriod(asked)(fact) && fact.agreed && !refused.has(chains.visitorOf(fact));
  const touches = [
    ...[...chains.clicks, ...chains.carts]
      .filter(kept)
      .map((fact) => ({ fact, productId: fact.sent.productId!, quantity: 0 })),
    ...chains.lines.filter(({ order }) => kept(order)).map((line) => ({ ...line, fact: line.order })),
  ];
  const key = ({ fact, productId }: { fact: Fact; productId: string }): string =>
    `${chains.visitorOf(fact)}\n${productId}`;
  return [...grouped(touches, key)].map(([pair, group]) => {
    const [visitor, productId] = pair.split('\n') as [string, string];
    const [scope, visitorId] = visitor.split(' ') as [string, string];
    const count = (type: string): number => group.filter(({ fact }) => fact.type === type).length;
    const times = group.map(({ fact }) => fact.atMs);
    return {
      scope,
      visitor_id: visitorId,
      product_id: productId,
      clicks: count('ProductClicked'),
      cart_adds: count('ProductAddedToCart'),
      orders: new Set(group.map(({ fact }) => fact.sent.orderId).filter((id) => id !== undefined)).size,
      quantity_ordered: decimal(sum(group.map(({ quantity }) => quantity)) * 1e4),
      first_at: new Date(Math.min(...times)).toISOString(),
      last_at: new Date(Math.max(...times)).toISOString(),
    };
  });
}

export function expectedIdentityMap({ chains }: Asked): Row[] {
  const visitors = grouped(chains.facts, ({ scope, anonymousId }) => `${scope} ${anonymousId}`);
  return [...visitors.values()].flatMap((own) => {
    const linked = own.filter((fact) => fact.agreed && fact.userId !== undefined);
    const latest = last(own)!;
    const refused = own.some((fact) => !fact.agreed && fact.atMs >= latest.atMs);
    const times = linked.map(({ atMs }) => atMs);
    const [first, latestLink] = [Math.min(...times), Math.max(...times)];
    if (linked.length === 0 || !latest.agreed || refused) return [];
    if (latestLink < Date.parse(FROM) || first >= Date.parse(TO)) return [];
    return [
      {
        scope: own[0]!.scope,
        anonymous_id: own[0]!.anonymousId,
        user_id: linked[0]!.userId!,
        first_seen: new Date(first).toISOString(),
        last_seen: new Date(latestLink).toISOString(),
        events: linked.length,
        // A simulated visitor has one customer number for life.
        is_current: true,
        users: 1,
      },
    ];
  });
}

export function expectedPairs(baskets: readonly ReadonlySet<string>[]): Row[] {
  const singles = new Map<string, number>();
  const pairs = new Map<string, number>();
  for (const basket of baskets) {
    const products = [...basket].sort();
    for (const [index, product] of products.entries()) {
      singles.set(product, (singles.get(product) ?? 0) + 1);
      for (const other of products.slice(index + 1)) {
        pairs.set(`${product}\n${other}`, (pairs.get(`${product}\n${other}`) ?? 0) + 1);
      }
    }
  }
  return [...pairs].map(([pair, together]) => {
    const [a, b] = pair.split('\n') as [string, string];
    const [shareA, shareB] = [singles.get(a)! / baskets.length, singles.get(b)! / baskets.length];
    return {
      product_a: a,
      product_b: b,
      together,
      support: together / baskets.length,
      confidence_a_to_b: together / singles.get(a)!,
      confidence_b_to_a: together / singles.get(b)!,
      lift: together / baskets.length / (shareA * shareB),
    };
  });
}

export function orderBaskets(asked: Asked): Set<string>[] {
  const orders = asked.chains.orders.filter(inPeriod(asked));
  return orders.map(({ sent }) => new Set(sent.lines!.map(({ productId }) => productId)));
}

export function clickBaskets(asked: Asked): Set<string>[] {
  const visits = grouped(asked.chains.clicks.filter(inPeriod(asked)), ({ sessionId }) => sessionId);
  return [...visits.values()].map((clicks) => new Set(clicks.map(({ sent }) => sent.productId!)));
}

export function expectedPopularity(asked: Asked, halfLifeDays: number): Row[] {
  const orders = asked.chains.orders.flatMap((fact) =>
    [...new Set(fact.sent.lines!.map(({ productId }) => productId))].map((productId) => ({ fact, productId })),
  );
  const touches = [
    ...[...asked.chains.clicks, ...asked.chains.carts].map((fact) => ({ fact, productId: fact.sent.productId! })),
    ...orders,
  ].filter(({ fact }) => inPeriod(asked)(fact));
  return [...grouped(touches, ({ productId }) => productId)].map(([productId, group]) => {
    const of = (type: string): number[] => group.filter(({ fact }) => fact.type === type).map(({ fact }) => fact.atMs);
    const score = (times: number[]): number =>
      sum(times.map((atMs) => 0.5 ** ((Date.parse(TO) - atMs) / 86_400_000 / halfLifeDays)));
    const [clicks, carts, bought] = [of('ProductClicked'), of('ProductAddedToCart'), of('OrderCreated')];
    return {
      product_id: productId,
      click_score: score(clicks),
      cart_score: score(carts),
      order_score: score(bought),
      clicks: clicks.length,
      cart_adds: carts.length,
      orders: bought.length,
      last_at: new Date(Math.max(...group.map(({ fact }) => fact.atMs))).toISOString(),
    };
  });
}

/** Clicks over expected clicks, place by place. */
export function expectedPhraseProducts(asked: Asked, prior: number): Row[] {
  const { led, clicks } = asked.chains;
  const clicked = new Set(clicks.map((click) => `${led.get(click)!.searchKey}\n${click.sent.productId}`));
  const shown = asked.chains.searches.filter(inPeriod(asked)).flatMap(({ sent }) =>
    sent.resultIds!.map((productId, index) => ({
      phrase: sent.phrase!,
      productId,
      position: index + 1,
      clicked: clicked.has(`${sent.searchId}\n${productId}`),
    })),
  );
  const rate = new Map(
    [...grouped(shown, ({ position }) => String(position))].map(([position, places]) => [
      Number(position),
      places.filter((place) => place.clicked).length / places.length,
    ]),
  );
  return [...grouped(shown, ({ phrase, productId }) => `${phrase}\n${productId}`).values()].map((places) => {
    const clicks = places.filter((place) => place.clicked).length;
    const expected = sum(places.map(({ position }) => rate.get(position)!));
    return {
      phrase: places[0]!.phrase,
      product_id: places[0]!.productId,
      shown: places.length,
      clicks,
      expected_clicks: expected,
      coec: expected === 0 ? null : clicks / expected,
      coec_smoothed: (clicks + prior) / (expected + prior),
      average_position: mean(places.map(({ position }) => position)),
    };
  });
}
