/** One look at a receiver. Times are in milliseconds of one monotonic clock. */
export interface Look {
  /** Start of the POST. */
  fromMs: number;
  /** End of the look. */
  untilMs: number;
  /** Whether every POST, one to each shard, was answered 202. */
  accepted: boolean;
  /** Whether at least one was. */
  serves: boolean;
  /** Whether `/readyz`, asked after the POST, said 200. */
  ready: boolean;
}

/** Longest times, in seconds, in which a receiver did not serve or did not say so. */
export interface Availability {
  unavailableSecondsMax: number;
  staleReadySecondsMax: number;
}

/**
 * Measure the availability that a sequence of looks shows. Pure.
 *
 * Unavailable is the time from the end of an accepted look to the end of the next accepted one, where others lie
 * between. A readiness is stale from the first look without any 202 that it calls ready to the next one with a 202 or
 * unready.
 */
export function availabilityOf(looks: readonly Look[]): Availability {
  const refusedSpans = spans(looks, ({ accepted }) => !accepted);
  const staleSpans = spans(looks, ({ serves, ready }) => !serves && ready);
  return { unavailableSecondsMax: longest(refusedSpans), staleReadySecondsMax: longest(staleSpans) };
}

interface Span {
  fromMs: number;
  untilMs: number;
}

/** Spans of looks that match, each up to the end of the next look that does not. */
function spans(looks: readonly Look[], matches: (look: Look) => boolean): Span[] {
  const found: Span[] = [];
  let open: Span | undefined;
  for (const look of looks) {
    if (matches(look)) open ??= { fromMs: look.fromMs, untilMs: look.untilMs };
    if (open) open.untilMs = look.untilMs;
    if (open && !matches(look)) {
      found.push(open);
      open = undefined;
    }
  }
  return open ? [...found, open] : found;
}

/** Seconds of the longest span, with one decimal; 0 if there is none. */
function longest(found: readonly Span[]): number {
  const ms = found.reduce((most, { fromMs, untilMs }) => Math.max(most, untilMs - fromMs), 0);
  return Math.round(ms / 100) / 10;
}
