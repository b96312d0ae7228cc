import { grouped } from './chains.ts';
import { wilson } from './expectedProduct.ts';
import { inPeriod, mean, sum, type Asked } from './expectedSearch.ts';
import { decimal, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';

/** One product in one place of one visit. */
interface Seen {
  first: Fact;
  place: { searchId?: string; listId?: string };
  productId: string;
  position: number;
  clicked: boolean;
}

/** Products seen for the first time in the period, and whether the visit clicked them in that very place. */
function seen(asked: Asked): Seen[] {
  const { chains } = asked;
  const clicked = new Set(
    chains.clicks.map((click) => {
      const { searchKey, list } = chains.led.get(click)!;
      return JSON.stringify([click.sessionId, searchKey, list, click.sent.productId]);
    }),
  );
  const units = new Map<string, Seen>();
  for (const fact of chains.facts.filter(({ type }) => type === 'ProductsShown')) {
    const { searchId, listId, products } = fact.sent;
    for (const { productId, position } of products!) {
      const key = JSON.stringify([fact.sessionId, searchId, listId, productId]);
      const known = units.get(key);
      if (known) known.position = Math.min(known.position, position);
      else
        units.set(key, {
          first: fact,
          place: searchId ? { searchId } : { listId: listId! },
          productId,
          position,
          clicked: clicked.has(key),
        });
    }
  }
  return [...units.values()].filter(({ first }) => inPeriod(asked)(first));
}

function metrics(group: readonly Seen[]): Row {
  const clicked = group.filter((unit) => unit.clicked).length;
  const [low, high] = wilson(clicked, group.length);
  return {
    shown: group.length,
    clicked,
    click_rate: clicked / group.length,
    click_rate_low: low,
    click_rate_high: high,
    average_position: mean(group.map(({ position }) => position)),
  };
}

export function expectedImpressions(asked: Asked): Row[] {
  return [...grouped(seen(asked), ({ productId }) => productId)].map(([productId, group]) => ({
    product_id: productId,
    ...metrics(group),
  }));
}

export function expectedPhraseImpressions(asked: Asked): Row[] {
  const phrases = new Map(asked.chains.searches.map(({ sent }) => [sent.searchId!, sent.phrase!]));
  const ofSearches = seen(asked).filter(({ place }) => place.searchId !== undefined && phrases.has(place.searchId));
  const cells = grouped(ofSearches, ({ place, productId }) =>
    JSON.stringify([phrases.get(place.searchId!), productId]),
  );
  return [...cells].map(([key, group]) => {
    const [phrase, productId] = JSON.parse(key) as [string, string];
    return { phrase, product_id: productId, ...metrics(group) };
  });
}

export function expectedCartChanges(asked: Asked): Row[] {
  const changes = asked.chains.facts.filter(({ type }) => /^Product(AddedTo|RemovedFrom)Cart$/.test(type));
  const inside = changes.filter(inPeriod(asked));
  return [...grouped(inside, ({ sent }) => sent.productId!)].map(([productId, group]) => {
    const added = group.filter(({ type }) => type === 'ProductAddedToCart');
    const removed = group.filter(({ type }) => type === 'ProductRemovedFromCart');
    const quantity = (facts: readonly Fact[]): string => decimal(sum(facts.map(({ sent }) => sent.quantity!)) * 1e4);
    const visits = new Set(added.map(({ sessionId }) => sessionId));
    const again = new Set(removed.map(({ sessionId }) => sessionId).filter((session) => visits.has(session)));
    const [low, high] = visits.size === 0 ? [null, null] : wilson(again.size, visits.size);
    return {
      product_id: productId,
      cart_adds: added.length,
      quantity_added: quantity(added),
      removals: removed.length,
      quantity_removed: quantity(removed),
      visits: visits.size,
      visits_removed: again.size,
      removal_rate: visits.size === 0 ? null : again.size / visits.size,
      removal_rate_low: low,
      removal_rate_high: high,
    };
  });
}

export function expectedCheckoutFunnel(asked: Asked): Row[] {
  const { chains } = asked;
  const counted = new Set(chains.orders.map(({ sent }) => sent.orderId));
  const visits = [...grouped(chains.facts, ({ sessionId }) => sessionId).values()].filter(([first]) =>
    inPeriod(asked)(first!),
  );
  const has = (visit: readonly Fact[], ...types: string[]): boolean => visit.some(({ type }) => types.includes(type));
  const steps: [string, (visit: readonly Fact[]) => boolean][] = [
    ['visit', () => true],
    ['product', (visit) => has(visit, 'ProductClicked', 'ProductViewed')],
    ['cart', (visit) => has(visit, 'ProductAddedToCart')],
    ['checkout', (visit) => has(visit, 'CheckoutStarted')],
    ['order', (visit) => visit.some(({ type, sent }) => type === 'OrderCreated' && counted.has(sent.orderId))],
  ];
  let left: readonly (readonly Fact[])[] = visits;
  return steps.map(([name, isReached], index) => {
    const before = left.length;
    left = left.filter(isReached);
    const [low, high] = index === 0 ? [null, null] : wilson(left.length, before);
    return {
      step: index + 1,
      name,
      visits: visits.filter(isReached).length,
      reached: left.length,
      rate: index === 0 ? null : left.length / before,
      rate_low: low,
      rate_high: high,
      share: left.length / visits.length,
    };
  });
}
