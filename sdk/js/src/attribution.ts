import type { Device } from './device.ts';

/** A search: id, time, and the products it listed. */
type Listing = [searchId: string, time: number, productIds: readonly string[]];

const MOST_LISTINGS = 30;
/** Most products that a search event may hold. */
const MOST_PRODUCTS = 200;

/** Fields of an event or an order line that attribution uses. */
export interface Attributable {
  type?: string;
  productId?: string;
  searchId?: string | undefined;
  resultIds?: string[];
  lines?: Attributable[] | undefined;
}

/**
 * Record a search's products, or attribute an event to a search.
 *
 * An event or its lines get the id of the latest search in the window that listed the product. A search keeps as many products
 * as the receiver takes. Pages and tabs share the searches on the device, under the name `a`.
 */
export function attribute(device: Device, event: Attributable, now: number, windowMs: number): void {
  const listings = (device.read<Listing[]>('a') ?? []).filter((listing) => now - listing[1] < windowMs);
  if (event.resultIds) {
    event.resultIds = event.resultIds.slice(0, MOST_PRODUCTS);
    listings.unshift([event.searchId!, now, event.resultIds]);
    device.write('a', listings.slice(0, MOST_LISTINGS));
  } else {
    for (const item of event.lines ?? [event]) {
      item.searchId ??= listings.find((listing) => listing[2].includes(item.productId!))?.[0];
    }
  }
}
