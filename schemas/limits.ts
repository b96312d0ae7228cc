/** Published limits of the Event Receiver; bytes are of UTF-8. */
export const LIMITS = {
  /** A request body, before and after decompression. */
  bodyBytes: 4_194_304,
  /** A compressed body whose key is in the body, after decompression. */
  keylessBodyBytes: 65_536,
  /** One event as compact JSON: an order of 5,000 lines with 800 bytes each. */
  eventBytes: 4_000_000,
  /** Events in a batch. */
  batchEvents: 1_000,
  /** Depth of objects and lists within `properties`. */
  propertiesDepth: 8,
  /** Oldest event time accepted, in days before receipt. */
  pastDays: 30,
  /** Latest event time accepted, in seconds after receipt. */
  futureSeconds: 300,
  /** Smaller differences between sentAt and receipt are latency, not a wrong clock. */
  skewToleranceSeconds: 10,
  /** Largest correction of a clock that is behind. A body of an older sentAt may have been stored and sent later. */
  clockBehindSeconds: 900,
} as const;
