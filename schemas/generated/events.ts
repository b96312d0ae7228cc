// Generated from schemas/events by npm run generate. Do not edit.

/**
 * A visitor began to check out.
 */
export interface CheckoutStarted {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'CheckoutStarted';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * ISO 4217 code in capitals.
   */
  currency?: string;
  /**
   * What the customer pays: tax and shipping included, all discounts taken off.
   */
  total?: number;
  /**
   * Coupon codes used.
   *
   * @maxItems 50
   */
  couponCodes?: string[];
  /**
   * Whether prices and discounts of the lines include tax. Prices with and without tax are never added.
   */
  pricesIncludeTax?: boolean;
  /**
   * Lines of the order, or of the cart.
   *
   * @minItems 1
   * @maxItems 5000
   */
  lines?: {
    /**
     * The product; absent for a fee, a tip, a custom item or a deleted product.
     */
    productId?: string;
    /**
     * The variant, such as a size or colour.
     */
    variantId?: string;
    /**
     * How many were ordered; negative for goods taken back in exchange. At most four decimals.
     */
    quantity: number;
    /**
     * Price of one, before discount. pricesIncludeTax says whether it contains tax.
     */
    unitPrice: number;
    /**
     * Discount on the whole line, as a positive amount.
     */
    discount?: number;
    /**
     * The search that led to this line.
     */
    searchId?: string;
    /**
     * The recommendation that led to this line.
     */
    recommendationId?: string;
    /**
     * The list that led to this line.
     */
    listId?: string;
    /**
     * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
     */
    inferred?: boolean;
    /**
     * Name of the line, for lines without a product.
     */
    name?: string;
    /**
     * product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.
     */
    kind?: string;
    /**
     * Anything else the shop wants to keep with the line. Stored as JSON text, not interpreted.
     */
    properties?: {};
  }[];
}

/**
 * An order was cancelled before it was delivered: the whole order, or only the given lines. A whole order is then no revenue. For server keys only.
 */
export interface OrderCancelled {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'OrderCancelled';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The shop's order number.
   */
  orderId: string;
  /**
   * ISO 4217 code in capitals.
   */
  currency?: string;
  /**
   * What the customer no longer pays for the lines, tax included. Absent: the sum of the lines.
   */
  amount?: number;
  /**
   * Why, in the shop's own words.
   */
  reason?: string;
  /**
   * The cancelled lines; absent: the whole order.
   *
   * @minItems 1
   * @maxItems 5000
   */
  lines?: {
    /**
     * The product, as on the order's line.
     */
    productId?: string;
    /**
     * The variant, as on the order's line.
     */
    variantId?: string;
    /**
     * How many are returned or cancelled; absent: all of the line.
     */
    quantity?: number;
    /**
     * Amount for this line, as a positive number; absent: what the order's line says for the quantity.
     */
    amount?: number;
    /**
     * Name of the line, for lines without a product.
     */
    name?: string;
    /**
     * product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.
     */
    kind?: string;
  }[];
}

/**
 * An order is other than OrderCreated said, or has a new status. Fields that are given replace the order's, lines as a whole. The latest by timestamp counts. For server keys only.
 */
export interface OrderCorrected {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'OrderCorrected';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The shop's order number.
   */
  orderId: string;
  /**
   * ISO 4217 code in capitals.
   */
  currency?: string;
  /**
   * What the customer pays: tax and shipping included, all discounts taken off.
   */
  total?: number;
  /**
   * Tax within the total, whether the prices of the lines include it or not.
   */
  tax?: number;
  /**
   * Shipping within the total. Do not send it as a line too.
   */
  shipping?: number;
  /**
   * Discount on the whole order, as a positive amount. Discounts of lines belong on the lines. If it repeats them, the total tells so, and they count once.
   */
  discount?: number;
  /**
   * Coupon codes used.
   *
   * @maxItems 50
   */
  couponCodes?: string[];
  /**
   * Whether prices and discounts of the lines include tax. Prices with and without tax are never added.
   */
  pricesIncludeTax?: boolean;
  /**
   * Status in the shop's own words, such as paid, pending or cancelled. Pending and cancelled orders are no revenue.
   */
  status?: string;
  /**
   * True: a test order, which no report counts.
   */
  test?: boolean;
  /**
   * Lines of the order, or of the cart.
   *
   * @minItems 1
   * @maxItems 5000
   */
  lines?: {
    /**
     * The product; absent for a fee, a tip, a custom item or a deleted product.
     */
    productId?: string;
    /**
     * The variant, such as a size or colour.
     */
    variantId?: string;
    /**
     * How many were ordered; negative for goods taken back in exchange. At most four decimals.
     */
    quantity: number;
    /**
     * Price of one, before discount. pricesIncludeTax says whether it contains tax.
     */
    unitPrice: number;
    /**
     * Discount on the whole line, as a positive amount.
     */
    discount?: number;
    /**
     * The search that led to this line.
     */
    searchId?: string;
    /**
     * The recommendation that led to this line.
     */
    recommendationId?: string;
    /**
     * The list that led to this line.
     */
    listId?: string;
    /**
     * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
     */
    inferred?: boolean;
    /**
     * Name of the line, for lines without a product.
     */
    name?: string;
    /**
     * product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.
     */
    kind?: string;
    /**
     * Anything else the shop wants to keep with the line. Stored as JSON text, not interpreted.
     */
    properties?: {};
  }[];
}

/**
 * An order was placed. May be sent by browser and backend alike: orderId tells that it is the same one. What a server key says goes before what a browser key says.
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The shop's order number.
   */
  orderId: string;
  /**
   * ISO 4217 code in capitals.
   */
  currency: string;
  /**
   * What the customer pays: tax and shipping included, all discounts taken off.
   */
  total: number;
  /**
   * Tax within the total, whether the prices of the lines include it or not.
   */
  tax?: number;
  /**
   * Shipping within the total. Do not send it as a line too.
   */
  shipping?: number;
  /**
   * Discount on the whole order, as a positive amount. Discounts of lines belong on the lines. If it repeats them, the total tells so, and they count once.
   */
  discount?: number;
  /**
   * Coupon codes used.
   *
   * @maxItems 50
   */
  couponCodes?: string[];
  /**
   * Whether prices and discounts of the lines include tax. Prices with and without tax are never added.
   */
  pricesIncludeTax?: boolean;
  /**
   * Status in the shop's own words, such as paid, pending or cancelled. Pending and cancelled orders are no revenue.
   */
  status?: string;
  /**
   * True: a test order, which no report counts.
   */
  test?: boolean;
  /**
   * Lines of the order, or of the cart.
   *
   * @minItems 1
   * @maxItems 5000
   */
  lines: {
    /**
     * The product; absent for a fee, a tip, a custom item or a deleted product.
     */
    productId?: string;
    /**
     * The variant, such as a size or colour.
     */
    variantId?: string;
    /**
     * How many were ordered; negative for goods taken back in exchange. At most four decimals.
     */
    quantity: number;
    /**
     * Price of one, before discount. pricesIncludeTax says whether it contains tax.
     */
    unitPrice: number;
    /**
     * Discount on the whole line, as a positive amount.
     */
    discount?: number;
    /**
     * The search that led to this line.
     */
    searchId?: string;
    /**
     * The recommendation that led to this line.
     */
    recommendationId?: string;
    /**
     * The list that led to this line.
     */
    listId?: string;
    /**
     * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
     */
    inferred?: boolean;
    /**
     * Name of the line, for lines without a product.
     */
    name?: string;
    /**
     * product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.
     */
    kind?: string;
    /**
     * Anything else the shop wants to keep with the line. Stored as JSON text, not interpreted.
     */
    properties?: {};
  }[];
}

/**
 * Money of an order was given back: all of it, an amount, or the given lines. It counts on the day of the refund. For server keys only.
 */
export interface OrderRefunded {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'OrderRefunded';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The order's number. A return whose order is unknown counts too, if it has currency and amount.
   */
  orderId: string;
  /**
   * The shop's number of the refund. A refund that is told twice under one number counts once.
   */
  refundId?: string;
  /**
   * ISO 4217 code in capitals.
   */
  currency?: string;
  /**
   * The money given back, tax included. Absent: the sum of the lines, or all that is left of the order.
   */
  amount?: number;
  /**
   * Why, in the shop's own words.
   */
  reason?: string;
  /**
   * The returned lines; absent: the whole order or an amount.
   *
   * @minItems 1
   * @maxItems 5000
   */
  lines?: {
    /**
     * The product, as on the order's line.
     */
    productId?: string;
    /**
     * The variant, as on the order's line.
     */
    variantId?: string;
    /**
     * How many are returned or cancelled; absent: all of the line.
     */
    quantity?: number;
    /**
     * Amount for this line, as a positive number; absent: what the order's line says for the quantity.
     */
    amount?: number;
    /**
     * Name of the line, for lines without a product.
     */
    name?: string;
    /**
     * product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.
     */
    kind?: string;
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
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
  /**
   * The recommendation that led here.
   */
  recommendationId?: string;
  /**
   * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
   */
  inferred?: boolean;
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
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
   * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
   */
  inferred?: boolean;
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
 * A visitor took a product out of the cart, or lowered its quantity.
 */
export interface ProductRemovedFromCart {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'ProductRemovedFromCart';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The product.
   */
  productId: string;
  /**
   * How many were removed.
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
  /**
   * The recommendation that led here.
   */
  recommendationId?: string;
  /**
   * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
   */
  inferred?: boolean;
}

/**
 * Products of a result, a list or a recommendation were in front of the visitor. One event holds many of them.
 */
export interface ProductsShown {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'ProductsShown';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The products shown.
   *
   * @minItems 1
   * @maxItems 200
   */
  products: {
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
  }[];
  /**
   * The search that found them.
   */
  searchId?: string;
  /**
   * The category or list that holds them.
   */
  listId?: string;
  /**
   * Name of the list or recommendation, as the visitor reads it.
   */
  listName?: string;
  /**
   * The recommendation that holds them.
   */
  recommendationId?: string;
}

/**
 * A visitor saw the page of a product, from wherever they came.
 */
export interface ProductViewed {
  /**
   * UUID of the event, made once by the sender and kept on every resend. Version 7 (time-ordered) is advised.
   */
  eventId: string;
  /**
   * The event type.
   */
  type: 'ProductViewed';
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * The product.
   */
  productId: string;
  /**
   * The variant, such as a size or colour.
   */
  variantId?: string;
  /**
   * Price shown.
   */
  price?: number;
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
  /**
   * The recommendation that led here.
   */
  recommendationId?: string;
  /**
   * True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.
   */
  inferred?: boolean;
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
   * Experiments in force, each with the variant that the visitor has.
   *
   * @maxItems 50
   */
  experiments?: {
    /**
     * The experiment.
     */
    id: string;
    /**
     * The variant, such as control or b.
     */
    variant: string;
  }[];
  /**
   * Id of this search. Later clicks, cart adds and order lines carry it, so that they are attributed to it.
   */
  searchId?: string;
  /**
   * What the visitor typed; empty for a browse of everything.
   */
  phrase: string;
  /**
   * How many products matched in all; absent if unknown.
   */
  resultsCount?: number;
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
export type Event = CheckoutStarted | OrderCancelled | OrderCorrected | OrderCreated | OrderRefunded | ProductAddedToCart | ProductClicked | ProductRemovedFromCart | ProductsShown | ProductViewed | Search;
