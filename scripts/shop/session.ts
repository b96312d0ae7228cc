import type { EventErrorCode } from '../../schemas/errors.ts';
import { badEvent } from './badEvents.ts';
import type { Catalogue, Product } from './catalogue.ts';
import { shuffled, type Random } from './random.ts';
import type { Shop } from './shops.ts';
import { uuid7 } from './uuid7.ts';

/**
 * What truly caused an event, whether or not the event says so: the ground truth against which attribution is measured.
 * All ids are event ids.
 */
export type Truth =
  | { kind: 'search' }
  | { kind: 'click'; search?: string; list?: string }
  | { kind: 'cart'; click: string; search?: string; list?: string }
  | { kind: 'order'; lines: { cart: string; click: string; search?: string; list?: string }[] }
  | { kind: 'bad' };

/** One simulated event: the JSON text a shop would send, and what is known of it. */
export interface ShopEvent {
  tenantId: string;
  segmentId: string;
  /** When it happens, in simulated Unix milliseconds; the event's timestamp. */
  atMs: number;
  /** Absent where the event is no object. */
  eventId?: string;
  type: string;
  json: string;
  /** The verdict the Event Receiver must give. */
  expected: 'accepted' | EventErrorCode;
  truth: Truth;
}

export interface SessionContext {
  shop: Shop;
  catalogue: Catalogue;
  segmentId: string;
  random: Random;
  /** Who visits; signed-in customers have a user id. */
  visitor: { anonymousId: string; userId?: string };
  startMs: number;
  /** Multiplies the pauses between a visitor's actions; 1 is life-like. */
  pace: number;
  /** Part of the events that are followed by a faulty one. */
  badShare: number;
  nextFault: () => EventErrorCode;
}

/** How visitors behave; typical of webshops, chosen so that every part of the funnel shows in a short run. */
const BEHAVIOUR = {
  /** An intent begins with a search rather than with a category list. */
  searches: 0.65,
  /** A visitor goes on to another intent. */
  goesOn: 0.6,
  /** How fast attention falls with the position: the chance to look at position p is p^-attention. */
  attention: 0.85,
  /** Positions looked at, at most. */
  pageSize: 24,
  /** Most clicks on one list. */
  maxClicks: 3,
  /** A clicked product goes into the cart. */
  addsToCart: 0.16,
  /** A visit with something in the cart ends in an order. */
  orders: 0.42,
  /** Fields that say what led to an event are there this often: shops forget them on the way to the checkout. */
  clickSaysWhy: 0.97,
  cartSaysWhy: 0.85,
  lineSaysWhy: 0.7,
  /** Pauses between actions, in seconds on average. */
  pauseSeconds: 18,
} as const;

interface CartLine {
  product: Product;
  variantId: string | undefined;
  quantity: number;
  truth: { cart: string; click: string; search?: string; list?: string };
  searchId: string | undefined;
}

/** Where a click comes from: a search or a category list. */
interface Origin {
  truth: { search?: string; list?: string };
  searchId?: string;
  listId?: string;
}

/**
 * One visit as the list of its events, in order. A visit is a chain of intents; each is a search or a category list,
 * looked through from the top with falling attention; clicked products may go into the cart, and the cart may become an
 * order at the end.
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
    emit(
      'OrderCreated',
      {
        orderId: `${shop.currency}-${Math.floor(nowMs / 1000)}-${random.bits().toString(36)}`,
        currency: shop.currency,
        total: totalCents / 100,
        tax: Math.round(totalCents / 5) / 100, // 25 % VAT is a fifth of what is paid
        shipping: shippingCents / 100,
        ...(discountCents > 0 ? { discount: discountCents / 100, couponCodes: ['WELCOME10'] } : {}),
        lines,
      },
      { kind: 'order', lines: cart.map((line) => line.truth) },
    );
  }

  function why(origin: Origin, share: number): Record<string, string> {
    if (!random.chance(share)) return {};
    return origin.searchId !== undefined ? { searchId: origin.searchId } : { listId: origin.listId! };
  }
}

/** Products clicked on one page of results: position-biased, each by its appeal. */
function clicks(shown: Product[], random: Random): { product: Product; position: number }[] {
  const out: { product: Product; position: number }[] = [];
  for (const [index, product] of shown.entries()) {
    if (out.length === BEHAVIOUR.maxClicks) break;
    const seen = random.chance((index + 1) ** -BEHAVIOUR.attention);
    if (seen && random.chance(product.appeal)) out.push({ product, position: index + 1 });
  }
  // People come back to a list in another order than they read it.
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
