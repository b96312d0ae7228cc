import { countOf } from './format.ts';

/** What an event is about, in a few words of its row: a phrase, an order, products; empty for anything else. */
export function eventGist(row: Record<string, unknown>): string {
  const { phrase, order_id: orderId, product_id: productId, products, lines } = row;
  if (typeof phrase === 'string') return phrase === '' ? 'everything' : `“${phrase}”`;
  if (typeof orderId === 'string') return `order ${orderId}`;
  if (typeof productId === 'string') return productId;
  if (Array.isArray(products)) return countOf(products.length, 'product');
  return Array.isArray(lines) ? countOf(lines.length, 'line') : '';
}
