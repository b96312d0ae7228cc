import type { OrderCreated, ProductAddedToCart, ProductClicked, Search } from '../../../schemas/generated/events.ts';

/** Filled in by the tracker; the shop may set all but the first two itself, which a backend usually does. */
type Filled = 'eventId' | 'type' | 'timestamp';
type Fields<T> = Omit<T, Filled> & {
  /** When it happened, RFC 3339; now, when absent. */
  timestamp?: string;
};

export type SearchFields = Fields<Search>;
export type ProductClickedFields = Fields<ProductClicked>;
export type ProductAddedToCartFields = Fields<ProductAddedToCart>;
export type OrderCreatedFields = Fields<OrderCreated>;

/** Where in the shop an event happens: `url` and `referrer` are filled in by pages. */
export type EventContext = NonNullable<Search['context']>;

/** What the visitor has agreed to. `analytics` decides whether anything is stored or sent. */
export interface Consent {
  analytics: boolean;
  personalization?: boolean;
}

export interface TrackerOptions {
  /** Address of the Event Receiver: its base, or the full `…/api/events`. */
  endpoint: string;
  /** A browser key in pages, a server key in backends. */
  instrumentationKey: string;
  /** Hold events in memory and store nothing on the device until `setConsent` is called. Default false. */
  waitForConsent?: boolean;
  /** Treat Global Privacy Control and Do Not Track as a refusal until `setConsent` says otherwise. Default true. */
  respectPrivacySignals?: boolean;
  /**
   * Keeps the ids in first-party cookies too (`spor_aid`, `spor_sid`, `spor_consent`), for the shop's backend. Written with
   * consent only, removed with a refusal. Default false.
   */
  cookie?: boolean;
  /** Domain whose sub-domains share those cookies, such as `shop.example`. Default: the page's host alone. */
  cookieDomain?: string;
  /** Names of URL parameters to keep in `context.url` and `context.referrer`. Default none. */
  allowQuery?: readonly string[];
  /** Put into the context of every event, such as `{ channel: 'app' }`. */
  context?: EventContext;
  /** How long after a search its products' clicks, cart adds and order lines carry its id, ms. Default 24 h. */
  attributionWindowMs?: number;
  /** Longest wait for more events before a batch is sent, ms. Default 2 s. */
  flushIntervalMs?: number;
  /** Most events in a request. Default 100; the receiver takes 1,000. */
  maxBatchEvents?: number;
  /** Largest request body, bytes of UTF-8. Default 30,000: two fit into what browsers send for a closing page. */
  maxBatchBytes?: number;
  /** Most events kept; the oldest is dropped first. Default 1,000. */
  maxQueueEvents?: number;
  /** Most bytes kept. Default 1,000,000. */
  maxQueueBytes?: number;
  /** First delay before a resend, ms; doubles with each failure in a row. Default 1 s. */
  backoffBaseMs?: number;
  /** Longest such delay, ms. Default 60 s. */
  backoffCapMs?: number;
  /** Longest `Retry-After` obeyed, ms. Default 10 min. */
  retryAfterCapMs?: number;
  /** Compresses a body, or returns undefined where that does not pay: `gzip()` of `@spor/tracker/gzip`. Default none. */
  compress?: (body: string) => Promise<ArrayBuffer> | undefined;
}

/** Why an event was given up. */
export type DropReason =
  /** The receiver refused this event; `code` and `message` say why. */
  | 'rejected'
  /** The receiver refused the whole request for good. */
  | 'refused'
  /** Over 32,768 bytes as JSON, or refused as too large. */
  | 'too_large'
  /** The queue was full; this was its oldest event. */
  | 'overflow'
  /** The visitor declined, or the browser sends a privacy signal. */
  | 'consent'
  /** Sent long ago without an answer; sending it again could count it twice. */
  | 'unconfirmed'
  /** Could not be written as JSON. */
  | 'invalid'
  /** Tracked after `close`. */
  | 'closed';

export interface DropNotice {
  reason: DropReason;
  /** The receiver's error code, where it gave one. */
  code?: string | undefined;
  message?: string | undefined;
  /** JSON pointer to the fault within the event, where the receiver gave one. */
  path?: string | undefined;
  /** The event as far as it was made. */
  event: Record<string, unknown>;
}

export interface ErrorNotice {
  /** The receiver's error code, `http_<status>` where it gave none, or `network_error`. */
  code: string;
  message?: string | undefined;
  /** HTTP status; 0 without an answer. */
  status: number;
  /** False when this tracker has stopped sending, or given the events up. */
  retryable: boolean;
}

export interface SentNotice {
  /** Names the batch at the receiver; quote it when asking what became of it. */
  receiptId?: string | undefined;
  /** Ids of the events accepted. */
  eventIds: string[];
}

export interface TrackerEvents {
  drop: DropNotice;
  error: ErrorNotice;
  sent: SentNotice;
}

export interface TrackerStats {
  /** Events waiting, those that wait for consent included. */
  queued: number;
  /** Events given up, by reason. */
  dropped: Partial<Record<DropReason, number>>;
}

/** No method throws or blocks; what goes wrong is told through `on('drop')` and `on('error')`. */
export interface Tracker {
  /** @returns the event's id. */
  productClicked(fields: ProductClickedFields): string;
  /** @returns the event's id. */
  productAddedToCart(fields: ProductAddedToCartFields): string;
  /** @returns the event's id. */
  orderCreated(fields: OrderCreatedFields): string;
  /** @returns the search's id, the given one or a new one; later events of `resultIds` carry it by themselves. */
  search(fields: SearchFields): string;
  /** Puts `userId` on later events of this page; nothing, or null, takes it off. Not stored on the device. */
  identify(userId?: string | null): void;
  /** Releases the events that waited for consent, or discards everything, also what is stored on the device. */
  setConsent(consent: Consent | boolean): void;
  /** Forgets visitor, session, user and searches, as after signing out on a shared device. Queued events stay. */
  reset(): void;
  /** The visitor's ids, to hand to a backend that sends events of its own; empty before consent. */
  ids(): { anonymousId?: string; sessionId?: string };
  /** Sends what is queued now. Resolves when that was tried, whatever came of it. */
  flush(): Promise<void>;
  /** Sends what is queued once more and takes no more events. What is not delivered stays stored for the next page. */
  close(): Promise<void>;
  stats(): TrackerStats;
  /** @returns a function that stops listening. */
  on<K extends keyof TrackerEvents>(name: K, listener: (notice: TrackerEvents[K]) => void): () => void;
}
