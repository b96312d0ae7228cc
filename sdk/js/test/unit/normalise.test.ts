import { expect, test } from 'vitest';
import { normalise } from '../../../../schemas/normalise/normalise.ts';
import { createRegistry } from '../../../../schemas/registry.ts';
import { normaliseCases, storedFields, type NormaliseCase } from '../../../../test/support/normaliseCases.ts';
import { openShop } from '../support/shop.ts';

const registry = createRegistry();
const METHODS = {
  Search: 'search',
  ProductClicked: 'productClicked',
  ProductViewed: 'productViewed',
  ProductsShown: 'productsShown',
  ProductAddedToCart: 'productAddedToCart',
  ProductRemovedFromCart: 'productRemovedFromCart',
  CheckoutStarted: 'checkoutStarted',
  OrderCreated: 'orderCreated',
} as const;
/** Fields that the tracker fills in. */
const FILLED = ['eventId', 'timestamp', 'sessionId', 'anonymousId', 'searchId', 'context'];
const SENT = normaliseCases().filter(({ stored, event }) => stored && event.type in METHODS);

test.each(SENT.map((one): [string, NormaliseCase] => [one.name, one]))('%s: sent, and stored alike', async (_, one) => {
  const { type, ...fields } = one.event;
  const { host, tracker, drops, events } = openShop();
  (tracker[METHODS[type as keyof typeof METHODS]] as (given: object) => string)({ sessionId: 's-1', ...fields });
  await tracker.flush();
  await host.advance(60_000);
  expect(drops).toEqual([]);
  const [sent] = events();
  const { event } = normalise(sent!, registry.latest.get(type)!.schema);
  const own = (all: Record<string, unknown>): object =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !FILLED.includes(name)));
  expect(own(event)).toEqual(own(storedFields(one)));
});
