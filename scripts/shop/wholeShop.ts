import type { Catalogue } from './catalogue.ts';
import type { Random } from './random.ts';
import type { ShopEvent, Truth } from './session.ts';
import { uuid7 } from './uuid7.ts';

/** Behaviour of visitors beside searches, clicks, cart adds and orders. */
const BEHAVIOUR = {
  /** Mean places that are seen below the last click. */
  seenBelow: 3,
  /** Places from which an impression event of its own is sent, as after a scroll. */
  firstScreen: 6,
  /** Chance that a product's page is tracked after a click. */
  views: 0.95,
  /** Chances in a visit with a cart and no order. */
  removes: 0.4,
  checksOut: 0.5,
  /** Chance that an order line is a gift. */
  gifts: 0.1,
} as const;

interface Sent extends Record<string, unknown> {
  productId?: string;
  position?: number;
  searchId?: string;
  listId?: string;
  resultIds?: string[];
  quantity?: number;
  unitPrice?: number;
  lines?: Record<string, unknown>[];
}

/** A valid event of a visit, with what it says. */
interface Step {
  event: ShopEvent;
  sent: Sent;
}

/**
 * The same visit as a shop sends it that tells everything: impressions, product pages, removals, checkouts, experiments.
 *
 * Events of the visit keep their ids, times and amounts. New ones stand between them, in order of time.
 */
export function wholeShop(
  visit: readonly ShopEvent[],
  { catalogue, random }: { catalogue: Catalogue; random: Random },
): ShopEvent[] {
  const steps: Step[] = visit
    .filter(({ expected }) => expected === 'accepted')
    .map((event) => ({ event, sent: JSON.parse(event.json) as Sent }));
  const variant = random.pick(['a', 'b']);
  const after = new Map<ShopEvent, ShopEvent[]>();
  const before = new Map<ShopEvent, ShopEvent[]>();
  const add = (where: typeof after, { event, sent }: Step, type: string, truth: Truth, fields: object): void => {
    const { sessionId, anonymousId, userId, consent, context } = sent;
    const eventId = uuid7(event.atMs, random);
    const common = { eventId, type, timestamp: sent.timestamp, sessionId, anonymousId, userId, consent, context };
    const added = { ...event, eventId, type, json: JSON.stringify({ ...common, ...fields }), truth };
    where.set(event, [...(where.get(event) ?? []), added]);
  };
  const show = (where: typeof after, step: Step, place: object, truth: Truth, productIds: string[]): void => {
    const products = productIds.map((productId, index) => ({ productId, position: index + 1 }));
    const { firstScreen } = BEHAVIOUR;
    for (const part of [products.slice(0, firstScreen), products.slice(firstScreen)])
      if (part.length > 0) add(where, step, 'ProductsShown', truth, { products: part, ...place });
  };
  const seenBelow = (clicks: readonly Step[]): number =>
    Math.max(1, ...clicks.map(({ sent }) => sent.position!)) + Math.floor(random.exponential(BEHAVIOUR.seenBelow));

  for (const [index, step] of steps.entries()) {
    const { event, sent } = step;
    const { truth } = event;
    if (truth.kind === 'search') {
      const clicks = steps.filter(({ event: { truth: of } }) => of.kind === 'click' && of.search === event.eventId);
      const shown: Truth = { kind: 'shown', search: event.eventId! };
      show(after, step, { searchId: sent.searchId }, shown, sent.resultIds!.slice(0, seenBelow(clicks)));
    } else if (truth.kind === 'click') {
      const list = listOf(step);
      const previous = steps.slice(0, index).findLast(({ event: { type } }) => type !== 'ProductAddedToCart');
      if (list !== undefined && (!previous || listOf(previous) !== list)) {
        const rest = steps.slice(index);
        const end = rest.findIndex((other) => other.event.truth.kind !== 'cart' && listOf(other) !== list);
        const clicks = (end < 0 ? rest : rest.slice(0, end)).filter(({ event: { type } }) => type === 'ProductClicked');
        const productIds = catalogue.list(list).map(({ productId }) => productId);
        const place = { listId: list, listName: `All ${list}` };
        show(before, step, place, { kind: 'shown', list }, productIds.slice(0, seenBelow(clicks)));
      }
      if (random.chance(BEHAVIOUR.views)) {
        const { productId, price, currency, searchId, listId } = sent;
        const view: Truth = { kind: 'view', click: event.eventId! };
        add(after, step, 'ProductViewed', view, { productId, price, currency, searchId, listId });
      }
    }
  }
  const carts = steps.filter(({ event: { type } }) => type === 'ProductAddedToCart');
  const order = steps.find(({ event: { type } }) => type === 'OrderCreated');
  if (order) {
    const { currency, total, lines } = order.sent;
    add(before, order, 'CheckoutStarted', { kind: 'checkout' }, { currency, total, lines });
  } else if (carts.length > 0) {
    const last = steps.at(-1)!;
    if (random.chance(BEHAVIOUR.checksOut)) {
      const lines = carts.map(({ sent: { productId, quantity, unitPrice } }) => ({ productId, quantity, unitPrice }));
      add(after, last, 'CheckoutStarted', { kind: 'checkout' }, { currency: carts[0]!.sent.currency, lines });
    }
    if (random.chance(BEHAVIOUR.removes)) {
      const { event, sent } = random.pick(carts);
      const { productId, quantity, unitPrice, currency } = sent;
      const removed = { productId, quantity: random.between(1, quantity!), unitPrice, currency };
      add(after, last, 'ProductRemovedFromCart', { kind: 'removal', cart: event.eventId! }, removed);
    }
  }
  const whole = visit.flatMap((event) => [...(before.get(event) ?? []), event, ...(after.get(event) ?? [])]);
  return whole.map((event) => (event.expected === 'accepted' ? withExtras(event, variant, random) : event));
}

function listOf({ event: { truth } }: Step): string | undefined {
  return truth.kind === 'click' ? truth.list : undefined;
}

/** Types whose lines have free properties. */
const WITH_LINES = ['CheckoutStarted', 'OrderCreated'];

/** An event of the visitor with the experiment, and its lines with what the shop keeps of them. */
function withExtras(event: ShopEvent, variant: string, random: Random): ShopEvent {
  const sent = JSON.parse(event.json) as Sent;
  if (sent.sessionId === undefined) return event; // The backend knows of no experiment.
  const lines = WITH_LINES.includes(event.type) ? sent.lines : undefined;
  const kept = lines?.map((line) => (random.chance(BEHAVIOUR.gifts) ? { ...line, properties: { gift: true } } : line));
  const experiments = [{ id: 'ranking', variant }];
  return { ...event, json: JSON.stringify({ ...sent, ...(kept ? { lines: kept } : {}), experiments }) };
}
