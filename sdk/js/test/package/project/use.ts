import { createTracker, type OrderCreatedFields, type Tracker } from '@spor/tracker';
import { cookies } from '@spor/tracker/cookies';
import { gzip } from '@spor/tracker/gzip';
import { createImpressions, type WatchedProduct } from '@spor/tracker/impressions';
import { createSearches } from '@spor/tracker/searches';

const tracker: Tracker = createTracker({
  endpoint: 'https://receiver.example',
  instrumentationKey: 'ik_test',
  allowQuery: ['utm_source'],
  context: { channel: 'web' },
  compress: gzip(4096),
  cookie: cookies('shop.example'),
  segment: undefined,
});
const searchId: string = tracker.search({
  phrase: 'running shoes',
  resultsCount: 128,
  resultIds: ['SKU-1', 'SKU-7'],
  filters: [{ field: 'brand', values: ['x'] }],
});
tracker.productClicked({ productId: 'SKU-7', position: 2, searchId, properties: { anything: [1] } });
tracker.productAddedToCart({ productId: 'SKU-7', quantity: 1, unitPrice: 499.5, currency: 'DKK' });
const order: OrderCreatedFields = {
  orderId: 'O-1',
  currency: 'DKK',
  total: 499.5,
  lines: [{ productId: 'SKU-7', quantity: 1, unitPrice: 499.5 }],
};
tracker.orderCreated(order);
createSearches(tracker, { settleMs: undefined }).shown({ phrase: 'shoes', resultsCount: undefined, page: 2 });
// A value that may be absent is one that may be undefined.
tracker.productClicked({ productId: 'SKU-7', position: undefined, searchId: undefined, context: { url: undefined } });
tracker.orderCreated({ ...order, tax: undefined, lines: [{ ...order.lines[0]!, variantId: undefined }] });
const card: WatchedProduct['element'] = { isConnected: true, getBoundingClientRect: () => ({}) };
const impressions = createImpressions(tracker, { seenMs: 500 });
impressions.watch([{ element: card, productId: 'SKU-7', position: 1, variantId: undefined }], {
  searchId,
  listName: 'a',
});
impressions.end();
tracker.productViewed({ productId: 'SKU-7', experiments: [{ id: 'ranking', variant: 'b' }] });
tracker.productsShown({ products: [{ productId: 'SKU-7' }], listId: 'shoes' });
tracker.productRemovedFromCart({ productId: 'SKU-7', quantity: 1 });
tracker.checkoutStarted({ lines: [{ ...order.lines[0]!, properties: { gift: true } }] });
tracker.identify('customer-1');
tracker.identify(null);
tracker.setConsent({ analytics: true, personalization: false });
const stop: () => void = tracker.on('drop', ({ reason, code, event }) => [reason === 'rejected', code, event]);
tracker.on('error', ({ status, retryable }) => [status + 1, !retryable]);
tracker.on('sent', ({ receiptId, eventIds }) => [receiptId, eventIds.length]);
stop();
export const done: Promise<void> = tracker.close();
