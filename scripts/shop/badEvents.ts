import type { EventErrorCode } from '../../schemas/errors.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { DAY_MS } from '../../runtime/units.ts';

/** Fields of every well-formed event at this moment. */
export interface CommonFields {
  eventId: string;
  timestamp: string;
  sessionId: string;
}

/** Only rows of earlier versions have the code left out here. */
export type GivenCode = Exclude<EventErrorCode, 'nesting_too_deep'>;

/**
 * One rejected event per code of the Event Receiver, as JSON text.
 *
 * The type makes the list exhaustive. Times differ by a year from now, so that they are rejected at any time.
 */
const FAULTS: Record<GivenCode, (common: CommonFields) => string> = {
  event_not_object: () => '"a text where an event should be"',
  type_unknown: (common) => json({ ...common, type: 'ProductViewd', productId: 'SKU-10001' }),
  // The shop of the demo and of the load tool sends with a browser key.
  server_key_required: (common) => json({ ...common, type: 'OrderCancelled', orderId: 'order-1' }),
  field_missing: (common) => json({ ...common, type: 'Search', resultsCount: 3 }),
  field_unknown: (common) => json({ ...search(common), colour: 'red' }),
  field_type: (common) => json({ ...search(common), phrase: 12, timestamp: 12 }),
  field_format: (common) =>
    json({ ...common, type: 'ProductClicked', productId: 'SKU-10001', timestamp: '23.11.2026' }),
  field_range: (common) => json({ ...common, type: 'ProductAddedToCart', productId: 'SKU-10001', quantity: 0 }),
  text_invalid: (common) => json({ ...common, type: 'ProductClicked', productId: 'SKU\u0000' }),
  // JSON allows any number of digits; every reader of doubles takes this one as infinite.
  number_invalid: (common) =>
    json({ ...search(common), properties: { score: 0 } }).replace('"score":0', '"score":1e400'),
  event_too_large: (common) => json({ ...search(common), properties: { note: 'x'.repeat(LIMITS.eventBytes) } }),
  timestamp_too_old: (common) => json({ ...search(common), timestamp: shifted(common.timestamp, -400) }),
  timestamp_in_future: (common) => json({ ...search(common), timestamp: shifted(common.timestamp, 400) }),
};

export const FAULT_CODES = Object.keys(FAULTS) as GivenCode[];

/** JSON text of an event that is rejected with this code. */
export function badEvent(code: GivenCode, common: CommonFields): string {
  return FAULTS[code](common);
}

function search(common: CommonFields): CommonFields & Record<string, unknown> {
  return { ...common, type: 'Search', phrase: 'running shoes', resultsCount: 12 };
}

function shifted(timestamp: string, days: number): string {
  return new Date(Date.parse(timestamp) + days * DAY_MS).toISOString();
}

function json(value: Record<string, unknown>): string {
  return JSON.stringify(value);
}
