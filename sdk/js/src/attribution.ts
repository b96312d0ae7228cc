import { isNear } from './clock.ts';
import type { Device } from './device.ts';

/** What led to a product, in the fields of events. */
interface Source {
  searchId?: string | undefined;
  recommendationId?: string | undefined;
  listId?: string | undefined;
  /** True if the tracker took the latest listing, because the product was never opened nor carted. */
  inferred?: boolean | undefined;
}

/** Fields of an event or an order line that attribution uses. */
export interface Attributable extends Source {
  type?: string;
  productId?: string;
  resultIds?: string[];
  lines?: Attributable[] | undefined;
}

/** How a source and a product met: the visitor opened it, or put it in the cart. Without a rank, a search listed it. */
type Rank = 0 | 1 | 2;
const OPENED: Rank = 1;
const CARTED: Rank = 2;

/** Event types whose method has their name, each with its rank. */
export const RANKS: Readonly<Record<string, Rank>> = {
  ProductsShown: 0,
  ProductClicked: 1,
  ProductViewed: 1,
  ProductAddedToCart: 2,
  ProductRemovedFromCart: 0,
  CheckoutStarted: 0,
  OrderCreated: 0,
  OrderCorrected: 0,
  OrderCancelled: 0,
  OrderRefunded: 0,
  Search: 0,
};

/** A source and its products. A search is its id alone. */
type Step = [source: string | Source, time: number, productIds: readonly string[], rank?: Rank];

/** Searches among so many latest steps are kept; clicks and cart adds longer. */
const MOST_STEPS_TO_SEARCH = 40;
const MOST_STEPS = 140;
/** Most products that a search event may hold. */
const MOST_PRODUCTS = 200;
/** Clicks and cart adds count for so many times the window of searches. */
const CHOICE_WINDOWS = 7;

/**
 * Record what led to products, and give an event or its lines their source.
 *
 * What names a source keeps it. Otherwise:
 * - a click comes from the page's latest search that lists the product;
 * - a product page and a cart add have that of the latest click, page or cart add of the product;
 * - a removal and a line of a checkout or order have that of the latest cart add, else of the latest click or page;
 * - a product never opened nor carted has the latest search that lists it, `inferred`.
 * @param stores the page, its tab and the device, which are asked in this order. Their name is `a`.
 */
export function attribute(stores: readonly Device[], event: Attributable, now: number, windowMs: number): void {
  const lists = stores.map((store) =>
    (store.load<Step[]>('a') ?? []).filter(([, time, , rank]) =>
      isNear(now, time, rank ? CHOICE_WINDOWS * windowMs : windowMs),
    ),
  );
  const record = (...step: Step): void =>
    stores.forEach((store, index) =>
      store.save(
        'a',
        [step, ...lists[index]!].filter(([, , , rank], place) => place < (rank ? MOST_STEPS : MOST_STEPS_TO_SEARCH)),
      ),
    );
  const { type, lines, resultIds } = event;
  if (resultIds) {
    event.resultIds = resultIds.slice(0, MOST_PRODUCTS);
    return record(event.searchId!, now, event.resultIds.map(String));
  }
  const rank = RANKS[type!];
  for (const item of lines ?? [event]) {
    const productId = `${item.productId}`;
    const find = (steps: Step[], least?: Rank): Source | undefined => {
      const [source] =
        steps.find(([, , ids, rank]) => (least ? rank! >= least : !rank) && ids.includes(productId)) ?? [];
      return typeof source === 'string' ? { searchId: source } : source;
    };
    const { searchId, recommendationId, listId } = item;
    let source: Source | undefined = { searchId, recommendationId, listId };
    if (!(searchId || recommendationId || listId)) {
      const all = lists.flat();
      const chosen = (!rank && find(all, CARTED)) || find(all, OPENED);
      const listed = chosen ? undefined : find(all);
      source = (type === 'ProductClicked' ? find(lists[0]!) : chosen) ?? (listed && { ...listed, inferred: true });
      Object.assign(item, source);
    }
    if (rank && source) record(source, now, [productId], rank);
  }
}
