import type { Consent, DropReason, Tracker, TrackerOptions } from './api.ts';
import { attribute, type Attributable } from './attribution.ts';
import { createClock } from './clock.ts';
import { createCookies } from './cookies.ts';
import { MAX_EVENT_BYTES, withDefaults } from './defaults.ts';
import { createDevice } from './device.ts';
import { createDrop } from './drop.ts';
import { createEmitter } from './emitter.ts';
import type { Host, HostNavigator } from './host.ts';
import { roundNumbers } from './money.ts';
import { pageContext } from './pageContext.ts';
import { byteLength, createQueue } from './queue.ts';
import { createSender } from './sender.ts';
import { VISITOR_COOKIE_S, visitorIds } from './session.ts';
import { createTabLock } from './tabLock.ts';
import { createTransport } from './transport.ts';
import { createUuid7 } from './uuid7.ts';

/** An event before it enters the queue. */
interface Draft extends Attributable {
  eventId: string;
  type: string;
  timestamp: string;
  sessionId?: string;
  anonymousId?: string;
  context?: object;
}

/**
 * Create a tracker for one instrumentation key.
 *
 * The import has no effects. In a page, a new tracker listens for the page's end and sends the events of earlier pages.
 */
export function createTracker(options: TrackerOptions, host: Host = globalThis as unknown as Host): Tracker {
  const settings = withDefaults(options);
  const prefix = `spor.${settings.instrumentationKey.slice(-8)}.`;

  const clock = createClock(host.Date.now);
  const random = (): number =>
    (host.crypto?.getRandomValues(new Uint32Array(1))[0] ?? Math.random() * 2 ** 32) / 2 ** 32;
  const newId = createUuid7(random);
  const device = createDevice(host, prefix);
  const cookies = createCookies(host, settings.cookie, settings.cookieDomain);
  const { emit, on } = createEmitter(settings.debug);
  const dropped = {};
  const drop = createDrop(emit, dropped);
  const queue = createQueue(device, settings, drop);
  const sender = createSender({
    host,
    random,
    clock,
    queue,
    transport: createTransport(host, settings.endpoint.replace(/(\/api\/events)?\/*$/, '/api/events'), settings),
    lock: createTabLock(host, device, prefix),
    emit,
    drop,
    settings,
  });

  /** True if the visitor agreed. Without this and `refusal`, events wait. */
  let granted = false;
  /** Reason why new events are dropped. */
  let refusal: DropReason | undefined;
  let consent: Consent | undefined;
  let userId: string | undefined;
  const waiting: Draft[] = [];

  const ids = (): ReturnType<typeof visitorIds> => visitorIds(device, cookies, newId, clock());
  /** Give a backend the current ids, before an event carries them. */
  const announce = (): void => {
    if (!granted || !settings.cookie) return;
    ids();
    if (consent)
      cookies.write('consent', `analytics${consent.personalization ? '.personalization' : ''}`, VISITOR_COOKIE_S);
  };

  const admit = (draft: Draft): void => {
    // A backend sends events of many visitors, so an event with ids belongs to another visitor.
    const own = !draft.sessionId && !draft.anonymousId;
    if (own) attribute(device, draft, clock(), settings.attributionWindowMs);
    const json = JSON.stringify({ ...(own && ids()), consent, ...draft });
    if (byteLength(json) > MAX_EVENT_BYTES) return drop('too_large', draft);
    queue.add(draft.eventId, json);
    sender.notice();
  };

  /** Track an event. @returns the event's id, or the search's. */
  const track = (type: string, fields: object, idField: 'eventId' | 'searchId' = 'eventId'): string => {
    const time = clock();
    const eventId = newId(time);
    const draft = roundNumbers({ userId, ...(fields as Draft), eventId, type });
    draft.timestamp ??= new Date(time).toISOString();
    draft[idField] ??= eventId;
    try {
      draft.context = { ...pageContext(host, settings.allowQuery), ...settings.context, ...draft.context };
      draft.lines = draft.lines?.map(roundNumbers);
      if (refusal) drop(refusal, draft);
      else if (granted) admit(draft);
      else {
        waiting.push(JSON.parse(JSON.stringify(draft)) as Draft);
        if (waiting.length > settings.maxQueueEvents) drop('overflow', waiting.shift()!);
      }
    } catch (error) {
      drop('invalid', draft, { message: String(error) });
    }
    return draft[idField];
  };

  const forget = (): void => {
    userId = undefined;
    device.erase('s');
    device.erase('a');
    cookies.erase('aid');
    cookies.erase('sid');
  };
  const discard = (events: object[]): void => {
    for (const event of events) drop('consent', event);
  };
  const decide = (yes: boolean): void => {
    granted = yes;
    refusal = yes ? undefined : 'consent';
    if (!yes) {
      discard(waiting.splice(0));
      discard(queue.clear());
      forget();
      cookies.erase('consent');
    }
    device.allow(yes);
    announce();
    waiting.splice(0).forEach(admit);
    sender.notice();
  };

  const handle = (event: { type: string }): void => {
    if (event.type === 'pagehide' || host.document?.hidden) sender.leave();
    else void sender.flush();
  };
  const listen = (method: 'addEventListener' | 'removeEventListener'): void => {
    for (const name of ['visibilitychange', 'pagehide', 'pageshow', 'online']) host[method]?.(name, handle);
  };

  const signals: HostNavigator = host.navigator ?? {};
  if (settings.respectPrivacySignals && (signals.globalPrivacyControl || signals.doNotTrack === '1')) decide(false);
  else if (!settings.waitForConsent) decide(true);
  listen('addEventListener');

  return {
    productClicked: (fields) => track('ProductClicked', fields),
    productAddedToCart: (fields) => track('ProductAddedToCart', fields),
    orderCreated: (fields) => track('OrderCreated', fields),
    orderCorrected: (fields) => track('OrderCorrected', fields),
    orderCancelled: (fields) => track('OrderCancelled', fields),
    orderRefunded: (fields) => track('OrderRefunded', fields),
    search: (fields) => track('Search', fields, 'searchId'),
    identify: (id) => {
      userId = id ?? undefined;
    },
    setConsent: (given) => {
      consent = { analytics: given === true, ...(given as Partial<Consent>) };
      decide(consent.analytics);
    },
    reset: () => {
      forget();
      announce();
    },
    ids: () => (granted ? ids() : {}),
    flush: sender.flush,
    close: () => {
      refusal = 'closed';
      listen('removeEventListener');
      discard(waiting.splice(0));
      return sender.close();
    },
    stats: () => ({ queued: waiting.length + queue.items().length, dropped }),
    on,
  };
}
