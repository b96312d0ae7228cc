// The bundle has the modules in this order, which gzip makes 30 bytes smaller than others.
import { visitorIds } from './session.ts';
import { pageContext } from './pageContext.ts';
import { hasRoom } from './seen.ts';
import { attribute, RANKS, type Attributable } from './attribution.ts';
import { createDrop } from './drop.ts';
import { createTabLock } from './tabLock.ts';
import { createDevice } from './device.ts';
import type { Consent, DropReason, Tracker, TrackerOptions, VisitorIds } from './api.ts';
import { createClock } from './clock.ts';
import { toJson } from './json.ts';
import { createUuid7 } from './uuid7.ts';
import type { Host } from './host.ts';
import { createSender } from './sender.ts';
import { createEmitter } from './emitter.ts';
import { byteLength, createQueue } from './queue.ts';
import { draw } from './random.ts';
import { createTransport } from './transport.ts';
import { MAX_EVENT_BYTES, withDefaults } from './defaults.ts';

/** An event before it enters the queue. */
interface Draft extends Attributable {
  eventId: string;
  type: string;
  timestamp: string;
  sessionId?: string;
  anonymousId?: string;
  userId?: string | undefined;
  experiments?: object | undefined;
  context?: object;
}

/**
 * Create a tracker for one instrumentation key.
 *
 * The import has no effects. In a page, a new tracker listens for the page's end and sends the events of earlier pages. Outside
 * a page there is no one person. So it makes up no ids there, and remembers nothing from one event to the next.
 */
export function createTracker(options: TrackerOptions, host: Host = globalThis as unknown as Host): Tracker {
  const settings = withDefaults(options);
  const { document } = host;
  const url = `${settings.endpoint}`.replace(/(\/api\/events)?\/*$/, '/api/events');
  const owner = (settings.segment ?? '') + url;

  const clock = createClock(host.Date.now);
  const random = (): number => draw(host);
  const newId = createUuid7(random);
  const stores = ([undefined, 'sessionStorage', 'localStorage'] as const).map((area) =>
    createDevice(host, owner, `${settings.instrumentationKey}`, area),
  );
  const device = stores[2]!;
  const cookies = document && settings.cookie;
  const { emit, on, attempt } = createEmitter(settings.debug);
  const dropped = {};
  const drop = createDrop(emit, dropped);
  const queue = createQueue(device, settings, drop);
  const sender = createSender({
    host,
    random,
    clock,
    queue,
    transport: createTransport(host, url, settings),
    lock: createTabLock(host, owner),
    emit,
    drop,
    settings,
  });

  /** True if the visitor agreed. Without this and `refusal`, events wait. */
  let granted = false;
  /** True once a person could see the page. Until then events wait too. */
  let seen = false;
  /** Reason why new events are dropped. */
  let refusal: DropReason | undefined;
  let consent: Consent | undefined;
  let userId: string | undefined;
  const waiting: Draft[] = [];

  const ids = (): VisitorIds => visitorIds(device, cookies, newId, clock(), consent);
  /** Give a backend the current ids, before an event carries them. */
  const announce = (): void => {
    if (granted && seen && cookies) ids();
  };
  const admit = (draft: Draft): void => {
    // An event with ids belongs to another visitor than the page's.
    const named = draft.sessionId || draft.anonymousId;
    const own = document && !named;
    if (own) attribute(stores, draft, clock(), settings.attributionWindowMs);
    else if (!named && !draft.userId) emit('warning', { code: 'ids_missing', event: draft });
    const json = toJson({ ...(own && ids()), consent: document && consent, ...draft });
    if (byteLength(json) > MAX_EVENT_BYTES) return drop('too_large', draft);
    queue.add(draft.eventId, json);
    sender.notice();
  };
  const release = (): void => {
    if (granted && (seen ||= !document?.prerendering && hasRoom(host))) while (waiting[0]) admit(waiting.shift()!);
  };

  /** Track an event. @returns the event's id, or the search's. */
  const track = (type: string, fields: object): string => {
    const idField = type === 'Search' ? 'searchId' : 'eventId';
    let draft = { ...fields, type } as Draft;
    try {
      const time = clock();
      draft = { userId, experiments: settings.experiments, ...draft, eventId: newId(time) };
      draft.timestamp ||= new Date(time).toISOString();
      draft[idField] ||= draft.eventId;
      draft.context = { ...pageContext(host, settings.allowQuery), ...settings.context, ...draft.context };
      if (refusal) drop(refusal, draft);
      else {
        waiting.push(JSON.parse(toJson(draft)) as Draft);
        release();
        if (waiting.length > settings.maxQueueEvents) drop('overflow', waiting.shift()!);
      }
    } catch (error) {
      drop('invalid', draft, { message: String(error) });
    }
    return draft[idField]!;
  };

  const forget = (): void => {
    userId = undefined;
    for (const store of stores) {
      store.wipe('s');
      store.wipe('a');
    }
    cookies?.erase();
  };
  const discard = (events: object[], reason: DropReason = 'consent'): void => {
    for (const event of events) drop(reason, event);
  };
  const decide = (yes: boolean): void => {
    granted = yes;
    refusal = yes ? undefined : 'consent';
    if (!yes) {
      discard([...waiting.splice(0), ...queue.clear()]);
      forget();
    }
    for (const store of stores) store.allow(yes);
    release();
    announce();
    if (document) sender.notice(); // No timer outside an event: workers may not start one while they load.
  };

  const handle = ({ type }: { type: string }): void => {
    attempt(() => {
      release(); // A person may see the page from now on.
      if (type === 'pagehide' || document!.hidden) sender.leave();
      else void sender.flush();
    });
  };
  const listen = (method: 'addEventListener' | 'removeEventListener'): void => {
    for (const name of ['visibilitychange', 'prerenderingchange', 'pagehide', 'pageshow', 'online'])
      if (document) host[method]!(name, handle, true); // In the capture phase, because some do not bubble.
  };

  const tracker = {
    identify: (id) => {
      userId = (document && id) || undefined;
    },
    setConsent: (given) => {
      if (!document && !settings.waitForConsent) return; // One visitor's answer is not everybody's.
      consent = { analytics: given === true, ...(given as Partial<Consent>) };
      decide(consent.analytics);
    },
    reset: () => {
      forget();
      announce();
    },
    ids: () => (document && granted ? ids() : {}),
    flush: sender.flush,
    close: () => {
      refusal = 'closed';
      listen('removeEventListener');
      discard(waiting.splice(0), granted ? 'unseen' : 'consent');
      return sender.close();
    },
    stats: () => ({ queued: waiting.length + queue.items().length, dropped }),
    on,
  } satisfies Partial<Tracker> as unknown as Record<string, (...given: unknown[]) => unknown>;
  for (const type of Object.keys(RANKS))
    tracker[type[0]!.toLowerCase() + type.slice(1)] = (fields) => track(type, fields as object);
  attempt(() => {
    const { navigator } = host;
    if (settings.respectPrivacySignals && (navigator?.globalPrivacyControl || navigator?.doNotTrack === '1'))
      decide(false);
    else if (!settings.waitForConsent) decide(true);
    listen('addEventListener');
  });
  for (const [name, method] of Object.entries(tracker)) tracker[name] = (...given) => attempt(() => method(...given));
  return tracker as unknown as Tracker;
}
