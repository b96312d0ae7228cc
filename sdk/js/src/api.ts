import type {
  CheckoutStarted,
  OrderCancelled,
  OrderCorrected,
  OrderCreated,
  OrderRefunded,
  ProductAddedToCart,
  ProductClicked,
  ProductRemovedFromCart,
  ProductsShown,
  ProductViewed,
  Search,
} from '../../../schemas/generated/events.ts';

/** Fields that the tracker fills in. Backends usually set `timestamp` themselves. */
type Filled = 'eventId' | 'type' | 'timestamp';
type Fields<T> = Loose<
  Omit<T, Filled> & {
    /** Time of the event, RFC 3339; default now. */
    timestamp?: string;
  }
>;
/** The same, with undefined for every absent field, also under `exactOptionalPropertyTypes`. */
type Loose<T> = T extends readonly (infer Item)[]
  ? Loose<Item>[]
  : T extends object
    ? { [K in keyof T]: object extends Pick<T, K> ? Loose<T[K]> | undefined : Loose<T[K]> }
    : T;

export type SearchFields = Fields<Search>;
export type ProductsShownFields = Fields<ProductsShown>;
export type ProductClickedFields = Fields<ProductClicked>;
export type ProductAddedToCartFields = Fields<ProductAddedToCart>;
export type ProductViewedFields = Fields<ProductViewed>;
export type ProductRemovedFromCartFields = Fields<ProductRemovedFromCart>;
export type CheckoutStartedFields = Fields<CheckoutStarted>;
export type OrderCreatedFields = Fields<OrderCreated>;
export type OrderCorrectedFields = Fields<OrderCorrected>;
export type OrderCancelledFields = Fields<OrderCancelled>;
export type OrderRefundedFields = Fields<OrderRefunded>;

/** Place of an event in the shop. Pages fill in `url` and `referrer`. */
export type EventContext = Loose<NonNullable<Search['context']>>;

/** The visitor's decision. `analytics` decides whether anything is stored or sent. */
export interface Consent {
  analytics: boolean;
  personalization?: boolean | undefined;
}

export interface VisitorIds {
  anonymousId: string;
  sessionId: string;
}

/** Where the ids are kept beside the page's storage. */
export interface VisitorCookies {
  /** Read the ids; those that another page has written go before the tracker's. */
  read(): { [K in keyof VisitorIds]?: string | undefined };
  write(ids: VisitorIds, consent: Consent | undefined): void;
  erase(): void;
}

export interface TrackerOptions {
  /** Address of the Event Receiver: its base URL, or the full `…/api/events`. */
  endpoint: string;
  /** A browser key in pages, a server key in backends. */
  instrumentationKey: string;
  /** Keep events in memory until `setConsent`, and store nothing on the device. Default false. */
  waitForConsent?: boolean | undefined;
  /** Treat Global Privacy Control and Do Not Track as a refusal until `setConsent`. Default true. */
  respectPrivacySignals?: boolean | undefined;
  /** Keep the ids in first-party cookies too, for the shop's backend: `cookies()` of `@spor/tracker/cookies`. Default none. */
  cookie?: VisitorCookies | undefined;
  /** URL parameters to keep in `context.url` and `context.referrer`. Default none. */
  allowQuery?: readonly string[] | undefined;
  /** Context of every event, such as `{ channel: 'app' }`. */
  context?: EventContext | undefined;
  /** Experiments of every event that names none itself, such as `[{ id: 'ranking', variant: 'b' }]`. */
  experiments?: Loose<NonNullable<Search['experiments']>> | undefined;
  /**
   * Time in which a search may be the source of clicks, cart adds and order lines, ms. Default 24 h.
   *
   * Clicks and cart adds pass their source on for seven times as long.
   */
  attributionWindowMs?: number | undefined;
  /** Longest wait for more events before a batch is sent, ms. Default 2 s. */
  flushIntervalMs?: number | undefined;
  /** Most events in a request. Default 100; the receiver takes 1,000. */
  maxBatchEvents?: number | undefined;
  /**
   * Largest request body, bytes of UTF-8. Default 30,000.
   *
   * Two such bodies fit into a browser's limit for a closing page.
   */
  maxBatchBytes?: number | undefined;
  /** Most events in the queue; the oldest is dropped first. Default 1,000. */
  maxQueueEvents?: number | undefined;
  /** Most bytes in the queue. Default 1,000,000. */
  maxQueueBytes?: number | undefined;
  /** First delay before a resend, ms. Default 1 s. Each further failure in a row doubles it. */
  backoffBaseMs?: number | undefined;
  /** Longest delay before a resend, ms. Default 60 s. */
  backoffCapMs?: number | undefined;
  /** Longest `Retry-After` that the tracker obeys, ms. Default 10 min. */
  retryAfterCapMs?: number | undefined;
  /**
   * Name of this shop, if the origin has several with keys of their own for one endpoint. Default none.
   *
   * Shops of different names share no visitor, search or queue. All keys of one shop do, so a key can be rotated.
   */
  segment?: string | undefined;
  /** Write every notice to the console, not only the first problem of each code. Default false. */
  debug?: boolean | undefined;
  /**
   * Compress a body, or return undefined to send it as it is. Default none.
   *
   * `@spor/tracker/gzip` has such a function: `gzip()`.
   */
  compress?: ((body: string) => Promise<ArrayBuffer> | undefined) | undefined;
}

/** Reason why an event was dropped. */
export type DropReason =
  /** The receiver rejected this event; `code` and `message` say why. */
  | 'rejected'
  /** The receiver rejected the whole request for good. */
  | 'refused'
  /** Over 4,000,000 bytes as JSON, or too large for the receiver. */
  | 'too_large'
  /** The queue was full, and this was its oldest event. */
  | 'overflow'
  /** The visitor refused, or the browser sends a privacy signal. */
  | 'consent'
  /** The event was sent long ago without an answer. A resend could count twice. */
  | 'unconfirmed'
  /** The event could not be written as JSON. */
  | 'invalid'
  /** The page was closed before a person could see it. */
  | 'unseen'
  /** The event was tracked after `close`. */
  | 'closed';

export interface DropNotice {
  reason: DropReason;
  /** The receiver's error code, if it sent one. */
  code?: string | undefined;
  message?: string | undefined;
  /** JSON pointer to the fault in the event, if the receiver sent one. */
  path?: string | undefined;
  /** The event as far as it was built. */
  event: Record<string, unknown>;
}

export interface ErrorNotice {
  /** The receiver's error code; `http_<status>` if the answer is not the receiver's; `network_error` without one. */
  code: string;
  message?: string | undefined;
  /** HTTP status; 0 without an answer. */
  status: number;
  /** False if this tracker has stopped sending, or has dropped the events. */
  retryable: boolean;
}

export interface SentNotice {
  /** Id of the batch at the receiver, for questions about its events. */
  receiptId?: string | undefined;
  /** Ids of the accepted events. */
  eventIds: string[];
}

export interface WarningNotice {
  /** `ids_missing`: an event outside a page names no visitor; the receiver will reject it. */
  code: 'ids_missing';
  event: object;
}

export interface TrackerEvents {
  warning: WarningNotice;
  drop: DropNotice;
  error: ErrorNotice;
  sent: SentNotice;
}

export interface TrackerStats {
  /** Number of queued events, including those that wait for consent. */
  queued: number;
  /** Number of dropped events by reason. */
  dropped: Partial<Record<DropReason, number>>;
}

/**
 * Tracker of one key.
 *
 * No method throws or blocks. `on('drop')` and `on('error')` report failures.
 */
export interface Tracker {
  /** Track products in front of the visitor; `@spor/tracker/impressions` tells which were seen. @returns the event's id. */
  productsShown(fields: ProductsShownFields): string;
  /** @returns the event's id. */
  productClicked(fields: ProductClickedFields): string;
  /** Track the page of a product. @returns the event's id. */
  productViewed(fields: ProductViewedFields): string;
  /** @returns the event's id. */
  productAddedToCart(fields: ProductAddedToCartFields): string;
  /** @returns the event's id. */
  productRemovedFromCart(fields: ProductRemovedFromCartFields): string;
  /** @returns the event's id. */
  checkoutStarted(fields: CheckoutStartedFields): string;
  /** @returns the event's id. */
  orderCreated(fields: OrderCreatedFields): string;
  /** Correct an order, with a server key. @returns the event's id. */
  orderCorrected(fields: OrderCorrectedFields): string;
  /** Cancel an order or lines of it, with a server key. @returns the event's id. */
  orderCancelled(fields: OrderCancelledFields): string;
  /** Refund an order, lines of it or an amount, with a server key. @returns the event's id. */
  orderRefunded(fields: OrderRefundedFields): string;
  /** Track a search. Later events of its `resultIds` carry its id. @returns the search's id, the given one or a new one. */
  search(fields: SearchFields): string;
  /** Put `userId` on later events of this page; nothing or null removes it. Not stored on the device, not outside pages. */
  identify(userId?: string | null): void;
  /** Send the waiting events, or discard all events and stored data. */
  setConsent(consent: Consent | boolean): void;
  /**
   * Delete visitor, session, user and searches, as after sign-out on a shared device.
   *
   * Queued events stay.
   */
  reset(): void;
  /** The visitor's ids, for events of a backend; empty before consent and outside pages. */
  ids(): { anonymousId?: string; sessionId?: string };
  /** Send the queue now. Resolves after the attempt, even if it failed. */
  flush(): Promise<void>;
  /**
   * Send the queue once more, and take no more events.
   *
   * Undelivered events stay on the device for the next page.
   */
  close(): Promise<void>;
  stats(): TrackerStats;
  /** @returns a function that removes the listener. */
  on<K extends keyof TrackerEvents>(name: K, listener: (notice: TrackerEvents[K]) => void): () => void;
}
