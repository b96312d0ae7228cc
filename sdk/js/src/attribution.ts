import type { Device } from './device.ts';

/** A search, when it was made, and the products it listed. */
type Listing = [searchId: string, time: number, productIds: readonly string[]];

const MOST_LISTINGS = 30;
/** As many as a search event may hold. */
const MOST_PRODUCTS = 200;

/** As much of an event, or of an order line, as attribution reads and writes. */
export interface Attributable {
  type?: string;
  productId?: string;
  searchId?: string | undefined;
  resultIds?: string[];
  lines?: Attributable[] | undefined;
}

/**
 * Notes which products a search listed, of which it keeps as many as the receiver takes; puts on any other event, or on its lines, the id of the latest search within the
 * window that listed the product. Shared by pages and tabs through the device, under the name `a`.
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
