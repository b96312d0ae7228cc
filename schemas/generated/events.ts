// Generated from schemas/events by npm run generate. Do not edit.

/**
 * An order was placed. May be sent by browser and backend alike: orderId tells that it is the same one.
 */
export interface OrderCreated {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'OrderCreated';
  /**
   * When it happened by the sender's clock: RFC 3339 with a zone, at most microseconds are kept.
   */
  timestamp: string;
  /**
   * The visit: ends after 30 minutes without activity.
   */
  sessionId?: string;
  /**
   * The visitor's first-party pseudonymous id.
   */
  anonymousId?: string;
  /**
   * The shop's own id of a signed-in customer.
   */
  userId?: string;
  /**
   * What the visitor has agreed to.
   */
  consent?: {
    /**
     * Agreed to analytics.
     */
    analytics?: boolean;
    /**
     * Agreed to personalization.
     */
    personalization?: boolean;
  };
  /**
   * Where in the shop it happened.
   */
  context?: {
    /**
     * The page's address.
     */
    url?: string;
    /**
     * The address the visitor came from.
     */
    referrer?: string;
    /**
     * BCP 47 language tag, such as da-DK.
     */
    locale?: string;
    /**
     * Sales or marketing channel, in the shop's own words.
     */
    channel?: string;
  };
  /**
   * Anything else the shop wants to keep with the event. Stored as JSON text, not interpreted.
   */
  properties?: {};
  /**
   * The shop's order number.
   */
  orderId: string;
  /**
   * ISO 4217 code in capitals.
   */
  currency: string;
  /**
   * What the customer pays, tax and shipping included.
   */
  total: number;
  /**
   * Tax within the total.
   */
  tax?: number;
  /**
   * Shipping within the total.
   */
  shipping?: number;
  /**
   * Discount on the whole order, as a positive amount.
   */
  discount?: number;
  /**
   * Coupon codes used.
   *
   * @maxItems 50
   */
  couponCodes?: string[];
  /**
   * The order's lines.
   *
   * @minItems 1
   * @maxItems 500
   */
  lines: {
    /**
     * The product.
     */
    productId: string;
    /**
     * The variant, such as a size or colour.
     */
    variantId?: string;
    /**
     * How many were ordered.
     */
    quantity: number;
    /**
     * Price of one, before discount.
     */
    unitPrice: number;
    /**
     * Discount on the line, as a positive amount.
     */
    discount?: number;
    /**
     * The search that led to this line.
     */
    searchId?: string;
  }[];
}

/**
 * A visitor put a product in the cart.
 */
export interface ProductAddedToCart {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'ProductAddedToCart';
  /**
   * When it happened by the sender's clock: RFC 3339 with a zone, at most microseconds are kept.
   */
  timestamp: string;
  /**
   * The visit: ends after 30 minutes without activity.
   */
  sessionId?: string;
  /**
   * The visitor's first-party pseudonymous id.
   */
  anonymousId?: string;
  /**
   * The shop's own id of a signed-in customer.
   */
  userId?: string;
  /**
   * What the visitor has agreed to.
   */
  consent?: {
    /**
     * Agreed to analytics.
     */
    analytics?: boolean;
    /**
     * Agreed to personalization.
     */
    personalization?: boolean;
  };
  /**
   * Where in the shop it happened.
   */
  context?: {
    /**
     * The page's address.
     */
    url?: string;
    /**
     * The address the visitor came from.
     */
    referrer?: string;
    /**
     * BCP 47 language tag, such as da-DK.
     */
    locale?: string;
    /**
     * Sales or marketing channel, in the shop's own words.
     */
    channel?: string;
  };
  /**
   * Anything else the shop wants to keep with the event. Stored as JSON text, not interpreted.
   */
  properties?: {};
  /**
   * The product.
   */
  productId: string;
  /**
   * How many were added.
   */
  quantity: number;
  /**
   * The variant, such as a size or colour.
   */
  variantId?: string;
  /**
   * Price of one.
   */
  unitPrice?: number;
  /**
   * ISO 4217 code in capitals.
   */
  currency?: string;
  /**
   * The search that led here.
   */
  searchId?: string;
  /**
   * The category or list that led here.
   */
  listId?: string;
}

/**
 * A visitor opened a product from a list, a search or a recommendation.
 */
export interface ProductClicked {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'ProductClicked';
  /**
   * When it happened by the sender's clock: RFC 3339 with a zone, at most microseconds are kept.
   */
  timestamp: string;
  /**
   * The visit: ends after 30 minutes without activity.
   */
  sessionId?: string;
  /**
   * The visitor's first-party pseudonymous id.
   */
  anonymousId?: string;
  /**
   * The shop's own id of a signed-in customer.
   */
  userId?: string;
  /**
   * What the visitor has agreed to.
   */
  consent?: {
    /**
     * Agreed to analytics.
     */
    analytics?: boolean;
    /**
     * Agreed to personalization.
     */
    personalization?: boolean;
  };
  /**
   * Where in the shop it happened.
   */
  context?: {
    /**
     * The page's address.
     */
    url?: string;
    /**
     * The address the visitor came from.
     */
    referrer?: string;
    /**
     * BCP 47 language tag, such as da-DK.
     */
    locale?: string;
    /**
     * Sales or marketing channel, in the shop's own words.
     */
    channel?: string;
  };
  /**
   * Anything else the shop wants to keep with the event. Stored as JSON text, not interpreted.
   */
  properties?: {};
  /**
   * The product.
   */
  productId: string;
  /**
   * The variant, such as a size or colour.
   */
  variantId?: string;
  /**
   * Absolute position in the list from 1, counted across pages.
   */
  position?: number;
  /**
   * The search that showed the product.
   */
  searchId?: string;
  /**
   * The category or list that showed the product.
   */
  listId?: string;
  /**
   * The recommendation that showed the product.
   */
  recommendationId?: string;
  /**
   * Price shown.
   */
  price?: number;
  /**
   * ISO 4217 code in capitals.
   */
  currency?: string;
}

/**
 * A visitor searched and was shown a list of results.
 */
export interface Search {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'Search';
  /**
   * When it happened by the sender's clock: RFC 3339 with a zone, at most microseconds are kept.
   */
  timestamp: string;
  /**
   * The visit: ends after 30 minutes without activity.
   */
  sessionId?: string;
  /**
   * The visitor's first-party pseudonymous id.
   */
  anonymousId?: string;
  /**
   * The shop's own id of a signed-in customer.
   */
  userId?: string;
  /**
   * What the visitor has agreed to.
   */
  consent?: {
    /**
     * Agreed to analytics.
     */
    analytics?: boolean;
    /**
     * Agreed to personalization.
     */
    personalization?: boolean;
  };
  /**
   * Where in the shop it happened.
   */
  context?: {
    /**
     * The page's address.
     */
    url?: string;
    /**
     * The address the visitor came from.
     */
    referrer?: string;
    /**
     * BCP 47 language tag, such as da-DK.
     */
    locale?: string;
    /**
     * Sales or marketing channel, in the shop's own words.
     */
    channel?: string;
  };
  /**
   * Anything else the shop wants to keep with the event. Stored as JSON text, not interpreted.
   */
  properties?: {};
  /**
   * Id of this search. Later clicks, cart adds and order lines carry it, so that they are attributed to it.
   */
  searchId?: string;
  /**
   * What the visitor typed; empty for a browse of everything.
   */
  phrase: string;
  /**
   * How many products matched in all.
   */
  resultsCount: number;
  /**
   * Product ids shown, best first.
   *
   * @maxItems 200
   */
  resultIds?: string[];
  /**
   * Page of results shown, from 1.
   */
  page?: number;
  /**
   * Products per page.
   */
  pageSize?: number;
  /**
   * Sort order in the shop's own words.
   */
  sort?: string;
  /**
   * Filters in force.
   *
   * @maxItems 50
   */
  filters?: {
    /**
     * Name of the filtered field.
     */
    field: string;
    /**
     * Chosen values; a match needs one of them.
     *
     * @maxItems 100
     */
    values: string[];
  }[];
}

/** Any event, as a sender writes it. */
export type Event = OrderCreated | ProductAddedToCart | ProductClicked | Search;
