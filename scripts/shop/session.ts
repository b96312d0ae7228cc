import type { EventErrorCode } from '../../schemas/errors.ts';
import { badEvent, type GivenCode } from './badEvents.ts';
import type { Catalogue, Product } from './catalogue.ts';
import { laterWords } from './laterWords.ts';
import { shuffled, type Random } from './random.ts';
import type { Shop } from './shops.ts';
import { uuid7 } from './uuid7.ts';

/**
 * The true cause of an event, against which attribution is measured.
 *
 * All ids are event ids.
 */
export type Truth =
  | { kind: 'search' }
  | { kind: 'shown'; search?: string; list?: string }
  | { kind: 'click'; search?: string; list?: string }
  | { kind: 'view'; click: string }
  | { kind: 'cart'; click: string; search?: string; list?: string }
  | { kind: 'removal'; cart: string }
  | { kind: 'checkout' }
  | { kind: 'order'; lines: { cart: string; click: string; search?: string; list?: string }[] }
  /** A word of the backend about an order. */
  | { kind: 'later'; order: string }
  | { kind: 'bad' };

/** One simulated event: its JSON text and its facts. */
export interface ShopEvent {
  tenantId: string;
  segmentId: string;
  /** Kind of the key that sends it; absent: a page's. */
  keyKind?: 'server';
  /** Time of the event in simulated Unix milliseconds. */
  atMs: number;
  /** Absent if the event is no object. */
  eventId?: string;
  type: string;
  json: string;
  /** Verdict that the Event Receiver must give. */
  expected: 'accepted' | EventErrorCode;
  truth: Truth;
}

export interface SessionContext {
  shop: Shop;
  catalogue: Catalogue;
  segmentId: string;
  random: Random;
  /** The visitor; signed-in customers have a user id. */
  visitor: { anonymousId: string; userId?: string };
  startMs: number;
  /** Factor on the pauses between a visitor's actions; 1 is realistic. */
  pace: number;
  /** Share of events that an invalid one follows. */
  badShare: number;
  nextFault: () => GivenCode;
  /** Whether the backend says more of orders later. */
  later: boolean;
}

/** Behaviour of visitors, with the whole funnel in a short run. */
const BEHAVIOUR = {
  /** Chance that an intent begins with a search, not a list. */
  searches: 0.65,
  /** Chance of a further intent. */
  goesOn: 0.6,
  /** Decline of attention: the chance to look at position p is p^-attention. */
  attention: 0.85,
  /** Last position that anyone looks at. */
  pageSize: 24,
  /** Most clicks on one list. */
  maxClicks: 3,
  /** Chance that a clicked product goes into the cart. */
  addsToCart: 0.16,
  /** Chance that a visit with a cart ends in an order. */
  orders: 0.42,
  /** Chances of the fields that name a cause; shops omit them more often near the checkout. */
  clickSaysWhy: 0.97,
  cartSaysWhy: 0.85,
  lineSaysWhy: 0.7,
  /** Mean pauses between actions in seconds. */
  pauseSeconds: 18,
} as const;

interface CartLine {
  product: Product;
  variantId: string | undefined;
  quantity: number;
  truth: { cart: string; click: string; search?: string; list?: string };
  searchId: string | undefined;
}

/** Source of a click: a search or a category list. */
interface Origin {
  truth: { search?: string; list?: string };
  searchId?: string;
  listId?: string;
}

/**
 * One visit as a list of its events, in order.
 *
 * A visit is a chain of intents. Each is a search or a category list, viewed from the top with falling attention.
 * Clicked products may go into the cart, and the cart may become an order.
 */
export function visit(context: SessionContext): ShopEvent[] {
  const { random, shop, catalogue } = context;
  const events: ShopEvent[] = [];
  const cart: CartLine[] = [];
  const sessionId = uuid7(context.startMs, random);
  const consent = { analytics: true, personalization: random.chance(0.6) };
  let nowMs = context.startMs;

  const emit = (type: string, fields: Record<string, unknown>, truth: Truth): string => {
    const eventId = uuid7(nowMs, random);
    const common = { eventId, timestamp: new Date(nowMs).toISOString(), sessionId };
    const value = { ...common, type, ...context.visitor, consent, context: surroundings(context, type), ...fields };
    events.push({ ...place(context, nowMs), eventId, type, json: JSON.stringify(value), expected: 'accepted', truth });
    if (random.chance(context.badShare)) events.push(faulty(context, nowMs, sessionId));
    nowMs += 1 + Math.round((250 + random.exponential(BEHAVIOUR.pauseSeconds * 1000)) * context.pace);
    return eventId;
  };

  do {
    const [origin, shown] = random.chance(BEHAVIOUR.searches) ? search() : list();
    for (const { product, position } of clicks(shown, random)) {
      const click = clickOn(product, position, origin);
      if (random.chance(BEHAVIOUR.addsToCart)) addToCart(product, click, origin);
    }
  } while (random.chance(BEHAVIOUR.goesOn));
  if (cart.length > 0 && random.chance(BEHAVIOUR.orders)) order();
  return events;

  function search(): [Origin, Product[]] {
    const phrase = catalogue.pickPhrase(random);
    const results = catalogue.search(phrase);
    const filters = random.chance(0.15) ? [{ field: 'brand', values: [random.pick(shop.assortment.brands)] }] : [];
    const matching =
      filters.length > 0 ? results.filter((product) => filters[0]!.values.includes(product.brand)) : results;
    const shown = matching.slice(0, BEHAVIOUR.pageSize);
    const searchId = `s-${random.bits().toString(36)}${random.bits().toString(36)}`;
    const eventId = emit(
      'Search',
      {
        searchId,
        phrase,
        resultsCount: matching.length,
        resultIds: shown.map((product) => product.productId),
        page: 1,
        pageSize: BEHAVIOUR.pageSize,
        ...(filters.length > 0 ? { filters } : {}),
      },
      { kind: 'search' },
    );
    return [{ truth: { search: eventId }, searchId }, shown];
  }

  function list(): [Origin, Product[]] {
    const category = catalogue.pickCategory(random);
    return [{ truth: { list: category }, listId: category }, catalogue.list(category).slice(0, BEHAVIOUR.pageSize)];
  }

  function clickOn(product: Product, position: number, origin: Origin): string {
    const fields = { productId: product.productId, position, price: product.priceCents / 100, currency: shop.currency };
    return emit(
      'ProductClicked',
      { ...fields, ...why(origin, BEHAVIOUR.clickSaysWhy) },
      { kind: 'click', ...origin.truth },
    );
  }

  function addToCart(product: Product, click: string, origin: Origin): void {
    const quantity = random.chance(0.85) ? 1 : random.between(2, 3);
    const variantId = product.variantIds.length > 0 ? random.pick(product.variantIds) : undefined;
    const fields = {
      productId: product.productId,
      quantity,
      unitPrice: product.priceCents / 100,
      currency: shop.currency,
      ...(variantId === undefined ? {} : { variantId }),
    };
    const given = why(origin, BEHAVIOUR.cartSaysWhy);
    const eventId = emit('ProductAddedToCart', { ...fields, ...given }, { kind: 'cart', click, ...origin.truth });
    cart.push({
      product,
      variantId,
      quantity,
      truth: { cart: eventId, click, ...origin.truth },
      searchId: origin.searchId,
    });
  }

  function order(): void {
    const goodsCents = cart.reduce((sum, line) => sum + line.product.priceCents * line.quantity, 0);
    const discountCents = random.chance(0.12) ? Math.round(goodsCents / 10) : 0;
    const shippingCents = goodsCents >= shop.shipping.freeFrom * 100 ? 0 : shop.shipping.price * 100;
    const totalCents = goodsCents - discountCents + shippingCents;
    const lines = cart.map((line) => ({
      productId: line.product.productId,
      quantity: line.quantity,
      unitPrice: line.product.priceCents / 100,
      ...(line.variantId === undefined ? {} : { variantId: line.variantId }),
      ...(line.searchId !== undefined && random.chance(BEHAVIOUR.lineSaysWhy) ? { searchId: line.searchId } : {}),
    }));
    const orderId = `${shop.currency}-${Math.floor(nowMs / 1000)}-${random.bits().toString(36)}`;
    const placed = { orderId, currency: shop.currency, total: totalCents / 100, lines };
    const orderMs = nowMs;
    const eventId = emit(
      'OrderCreated',
      {
        orderId,
        currency: shop.currency,
        total: totalCents / 100,
        tax: Math.round(totalCents / 5) / 100, // 25 % VAT is a fifth of what is paid
        shipping: shippingCents / 100,
        ...(discountCents > 0 ? { discount: discountCents / 100, couponCodes: ['WELCOME10'] } : {}),
        lines,
      },
      { kind: 'order', lines: cart.map((line) => line.truth) },
    );
    if (!context.later) return;
    // A generator of its own, so that visits are the same without later words.
    const own = random.fork('later');
    for (const { type, afterMs, fields } of laterWords(placed, own, context.pace)) {
      const atMs = orderMs + afterMs;
      const value = { eventId: uuid7(atMs, own), timestamp: new Date(atMs).toISOString(), type, ...fields };
      const [json, truth] = [JSON.stringify(value), { kind: 'later', order: eventId } as const];
      const word = { ...place(context, atMs), keyKind: 'server', eventId: value.eventId, type } as const;
      events.push({ ...word, json, expected: 'accepted', truth });
    }
  }

  function why(origin: Origin, share: number): Record<string, string> {
    if (!random.chance(share)) return {};
    return origin.searchId !== undefined ? { searchId: origin.searchId } : { listId: origin.listId! };
  }
}

/** Clicks on one page of results, by position and appeal. */
function clicks(shown: Product[], random: Random): { product: Product; position: number }[] {
  const out: { product: Product; position: number }[] = [];
  for (const [index, product] of shown.entries()) {
    if (out.length === BEHAVIOUR.maxClicks) break;
    const seen = random.chance((index + 1) ** -BEHAVIOUR.attention);
    if (seen && random.chance(product.appeal)) out.push({ product, position: index + 1 });
  }
  // Visitors return to a list in another order than they read it.
  return out.length > 1 && random.chance(0.2) ? shuffled(out, random) : out;
}

function surroundings({ shop, segmentId }: SessionContext, type: string): Record<string, string> {
  const page = {
    Search: '/search',
    ProductClicked: '/products',
    ProductAddedToCart: '/cart',
    OrderCreated: '/thank-you',
  }[type];
  return { url: `${shop.origin}${page ?? '/'}`, locale: shop.locale, channel: segmentId };
}

function faulty(context: SessionContext, atMs: number, sessionId: string): ShopEvent {
  const code = context.nextFault();
  const eventId = uuid7(atMs, context.random);
  const json = badEvent(code, { eventId, timestamp: new Date(atMs).toISOString(), sessionId });
  const known = code === 'event_not_object' ? {} : { eventId };
  return { ...place(context, atMs), ...known, type: 'faulty', json, expected: code, truth: { kind: 'bad' } };
}

function place(
  { shop, segmentId }: SessionContext,
  atMs: number,
): { tenantId: string; segmentId: string; atMs: number } {
  return { tenantId: shop.tenantId, segmentId, atMs };
}
