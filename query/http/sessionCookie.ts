import type { IncomingMessage } from 'node:http';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';

/** Cookie of a signed-in person. */
export interface SessionCookie {
  name: string;
  /** Origin of the pages that may use it for changes. */
  origin: string;
  /** Header that sets it. */
  set(secret: string, seconds: number): string;
}

/**
 * The cookie of the console's address.
 *
 * Pages cannot read it. `SameSite=Lax` keeps it out of other sites' requests, except for links that open the console.
 */
export function sessionCookie(publicUrl: string): SessionCookie {
  const { origin, protocol } = new URL(publicUrl);
  const isSecure = protocol === 'https:';
  const name = isSecure ? '__Host-spor_session' : 'spor_session';
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return { name, origin, set: (secret, seconds) => `${name}=${secret}; ${attributes}; Max-Age=${seconds}` };
}

/** Value of a cookie; undefined if the request has none. */
export function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/**
 * Rejects a change with a cookie from a page of another site.
 * @throws LakeError session_cross_site
 */
export function requireOwnPage({ method, headers }: IncomingMessage, { origin }: SessionCookie): void {
  if (method === 'GET' || method === 'HEAD') return;
  const isOwn = headers.origin === undefined ? headers['sec-fetch-site'] === 'same-origin' : headers.origin === origin;
  if (!isOwn) throw new LakeError('session_cross_site', LAKE_ERRORS.session_cross_site.help);
}
