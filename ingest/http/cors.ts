import type { HttpResponse } from 'uWebSockets.js';

/** A day; browsers have lower limits. */
const PREFLIGHT_MAX_AGE_SECONDS = '86400';
/** Longest list of headers that is echoed, in characters. */
const MAX_NAMES_LENGTH = 4_096;
/** Names that the receiver reads. */
const KNOWN_NAMES = ['Content-Type', 'Content-Encoding', 'X-Instrumentation-Key'];
const KNOWN = new Set(KNOWN_NAMES.map((name) => name.toLowerCase()));
/** Names of headers (RFC 9110 §5.6.2) in a list. */
const NAMES = /^[\w!#$%&'*+.^`|~-]+([ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;
/** What an echoed origin may hold: visible ASCII. */
const ORIGIN = /^[\x21-\x7e]{1,2048}$/;

/**
 * Allow the sending page to read the answer (Fetch standard, "CORS protocol").
 * Every origin may read every answer, because a rejected page must see the reason. The POST checks which origins may send.
 * Beacons carry credentials, for which "*" is not enough. That is safe, because no cookie is read.
 */
export function allowOrigin(response: HttpResponse, origin: string | undefined): void {
  if (origin === undefined || !ORIGIN.test(origin)) return;
  response
    .writeHeader('Access-Control-Allow-Origin', origin)
    .writeHeader('Access-Control-Allow-Credentials', 'true')
    .writeHeader('Access-Control-Expose-Headers', 'Retry-After, RateLimit, RateLimit-Policy')
    .writeHeader('Vary', 'Origin');
}

/** An OPTIONS request; a preflight has an origin. */
interface Options {
  /** Methods that pages may use. */
  methods: string;
  /** Value of the header Allow. */
  allow: string;
  origin: string | undefined;
  /** `Access-Control-Request-Headers`: what the page would send, such as `traceparent` of a monitoring script. */
  names: string | undefined;
}

/** The answer to OPTIONS, without the headers of `allowOrigin`. A preflight has no key, and so no list of origins. */
export function optionsAnswer({ methods, allow, origin, names }: Options) {
  const headers: Record<string, string> = { Allow: allow };
  if (origin !== undefined) {
    headers['Access-Control-Allow-Methods'] = methods;
    headers['Access-Control-Allow-Headers'] = allowedNames(names);
    headers['Access-Control-Max-Age'] = PREFLIGHT_MAX_AGE_SECONDS;
  }
  return { status: 204, body: '', headers };
}

/** All names that a page asks for: the receiver ignores those that it does not know. */
export function allowedNames(asked: string | undefined): string {
  const valid = asked !== undefined && asked.length <= MAX_NAMES_LENGTH && NAMES.test(asked);
  const others = valid ? asked.split(',').map((name) => name.trim()) : [];
  return [...KNOWN_NAMES, ...others.filter((name) => !KNOWN.has(name.toLowerCase()))].join(', ');
}
