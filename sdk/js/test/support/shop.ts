import { createTracker } from '../../src/tracker.ts';
import type { DropNotice, ErrorNotice, SentNotice, Tracker, TrackerOptions } from '../../src/api.ts';
import type { FakePage } from './fakePage.ts';
import { accepted, VirtualHost, type Answerer, type SentRequest } from './virtualHost.ts';

/** A tracker on a virtual host, and all it told. */
export interface Shop {
  host: VirtualHost;
  tracker: Tracker;
  drops: DropNotice[];
  errors: ErrorNotice[];
  sent: SentNotice[];
  /** Events of all requests so far, in order. */
  events: () => Record<string, unknown>[];
}

export function openShop(
  options: Partial<TrackerOptions> & { page?: FakePage | undefined; answer?: Answerer; host?: VirtualHost } = {},
): Shop {
  const { page, answer = (request: SentRequest) => accepted(request.body.events.length), host, ...rest } = options;
  const virtual = host ?? new VirtualHost({ answer, page });
  const tracker = createTracker(
    { endpoint: 'https://receiver.example', instrumentationKey: 'ik_testtest', ...rest },
    virtual.host,
  );
  const shop: Shop = {
    host: virtual,
    tracker,
    drops: [],
    errors: [],
    sent: [],
    events: () => virtual.requests.flatMap(({ body }) => body.events),
  };
  tracker.on('drop', (notice) => shop.drops.push(notice));
  tracker.on('error', (notice) => shop.errors.push(notice));
  tracker.on('sent', (notice) => shop.sent.push(notice));
  return shop;
}
