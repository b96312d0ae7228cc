import type { Registry } from '../../../schemas/registry.ts';
import { plainEvent, type ExtremeEvent } from './extremeEvents.ts';
import { DAY_MS } from '../../../runtime/units.ts';

const MOST_MONEY = 100_000_000_000;
const MOST_QUANTITY = 1_000_000_000;

/** Orders of one day in one currency whose sums are beyond DECIMAL(18,4), and searches whose places are at their greatest. */
export function manyExtremes(registry: Registry): ExtremeEvent[] {
  const order = (currency: string, money: number): ExtremeEvent => ({
    label: `${currency} order`,
    event: {
      ...plainEvent(registry.latest.get('OrderCreated')!),
      currency,
      total: money,
      tax: money,
      shipping: money,
      discount: money,
      lines: [
        { productId: 'most', quantity: MOST_QUANTITY, unitPrice: money, discount: money },
        { productId: 'least', quantity: 0.0001, unitPrice: 0.0001 },
      ],
    },
    refusal: undefined,
  });
  const search = (): ExtremeEvent => ({
    label: 'search of the last page',
    event: {
      ...plainEvent(registry.latest.get('Search')!),
      phrase: 'last',
      resultsCount: MOST_QUANTITY,
      page: MOST_QUANTITY,
      pageSize: MOST_QUANTITY,
      resultIds: ['most'],
    },
    refusal: undefined,
  });
  const most = Array.from({ length: 1_100 }, () => order('MAX', MOST_MONEY));
  const least = Array.from({ length: 1_100 }, () => order('MIN', -MOST_MONEY));
  const refund = ({ event: { orderId } }: ExtremeEvent): ExtremeEvent => ({
    label: 'refund of all',
    event: { ...plainEvent(registry.latest.get('OrderRefunded')!), orderId },
    refusal: undefined,
  });
  return [
    ...most,
    ...least,
    ...[...most.slice(0, 1_000), ...least.slice(0, 5)].map(refund),
    ...Array.from({ length: 20 }, search),
  ];
}

/** Events at the bounds of time, by the `sentAt` that goes with them. */
export function timeExtremes(registry: Registry): { sentAt: string | undefined; events: ExtremeEvent[] }[] {
  const at = (timestamp: string, refusal?: string): ExtremeEvent[] =>
    [...registry.latest.values()].map((type) => ({
      label: `${type.type} at ${timestamp}`,
      event: { ...plainEvent(type), timestamp },
      refusal,
    }));
  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
  const midnight = `${ago(DAY_MS).slice(0, 10)}T23:59:59.999999999Z`;
  return [
    {
      sentAt: undefined,
      events: [
        ...at(ago(30 * DAY_MS - 60_000)),
        ...at(ago(-240_000)),
        ...at(midnight),
        ...at(`${ago(DAY_MS).slice(0, 10)}T23:30:00+14:00`),
        ...at(ago(31 * DAY_MS), 'timestamp_too_old'),
        ...at(ago(-3_600_000), 'timestamp_in_future'),
        ...at('9999-12-31T23:59:59.999Z', 'timestamp_in_future'),
        ...at('10000-01-01T00:00:00Z', 'field_format'),
        ...at('0000-12-31T23:59:59Z', 'field_format'),
      ],
    },
    { sentAt: '9999-12-31T23:59:59.999999999Z', events: at('9999-12-31T23:59:59.999999999Z') },
  ];
}

/** Events that are too old at the door, of which "redrive --accept-old" lets in those since 1970: `stored` of them. */
export function oldExtremes(
  registry: Registry,
): { sentAt: string | undefined; stored: number; events: ExtremeEvent[] }[] {
  const event = (type: string, timestamp: string, fields: Record<string, unknown>): ExtremeEvent => ({
    label: `${type} at ${timestamp}`,
    event: { ...plainEvent(registry.latest.get(type)!), timestamp, sessionId: 'old', ...fields },
    refusal: 'timestamp_too_old',
  });
  const day = (timestamp: string): ExtremeEvent[] => {
    const searchId = `q ${timestamp}`;
    return [
      event('Search', timestamp, { searchId, phrase: 'old', resultsCount: 2, resultIds: ['a', 'b'] }),
      event('ProductClicked', timestamp, { searchId, productId: 'b', position: 2 }),
      event('ProductAddedToCart', timestamp, { searchId, productId: 'b' }),
      event('OrderCreated', timestamp, { lines: [{ productId: 'b', quantity: 1, unitPrice: 1, searchId }] }),
    ];
  };
  const kept = day('1970-01-01T00:00:00Z');
  const lost = [...day('0001-01-01T00:00:00Z'), ...day('1969-12-31T23:59:59.999999Z')];
  return [
    { sentAt: undefined, stored: kept.length, events: [...kept, ...lost] },
    { sentAt: '9999-12-31T23:59:59.999Z', stored: 0, events: day('0001-01-01T00:00:00Z') },
    // It may be a stored body, so its clock is not corrected.
    { sentAt: '0001-01-01T00:00:01Z', stored: 0, events: day('0001-01-01T00:00:00Z') },
  ];
}
