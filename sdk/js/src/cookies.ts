import type { Consent, VisitorCookies, VisitorIds } from './api.ts';

/** The part of a page that cookies need. Tests pass a substitute. */
interface CookiePage {
  document?: { cookie: string };
  location?: { href: string };
}

/** Lifetime of the visitor's cookie and of the consent cookie. Safari caps it at a week. */
const VISITOR_S = 365 * 86_400;
/** Lifetime of the session's cookie, which ends with the session. */
const SESSION_S = 30 * 60;

/**
 * Create cookies for a shop's backend, for the tracker's option `cookie`.
 *
 * `spor_aid` is the visitor's id, `spor_sid` the session's id, and `spor_consent` the visitor's decision.
 *
 * Access may throw (sandboxed frames). Writes may have no effect (browser settings, or a foreign domain). Both count as "no
 * cookie". Anyone on the shop's domain and its sub-domains may have written a cookie.
 * @param domain shares the cookies with its sub-domains; by default they belong to the page's host.
 */
export function cookies(domain?: string, page: CookiePage = globalThis): VisitorCookies {
  const own = domain ? `;domain=${domain}` : '';
  const read = (name: string): string | undefined => {
    try {
      return RegExp(`(^|; )spor_${name}=([\\da-f-]{36})(;|$)`).exec(page.document!.cookie)?.[2];
    } catch {
      return;
    }
  };
  const write = (name: string, value: string, seconds: number, scope = own): void => {
    try {
      const secure = page.location!.href.startsWith('https') ? ';secure' : '';
      page.document!.cookie = `spor_${name}=${value};path=/;samesite=lax;max-age=${seconds}${scope}${secure}`;
    } catch {
      // No cookies here.
    }
  };
  return {
    read: () => ({ anonymousId: read('aid'), sessionId: read('sid') }),
    write: ({ anonymousId, sessionId }: VisitorIds, consent?: Consent) => {
      write('aid', anonymousId, VISITOR_S);
      write('sid', sessionId, SESSION_S);
      if (consent) write('consent', `analytics${consent.personalization ? '.personalization' : ''}`, VISITOR_S);
    },
    erase: () => {
      for (const name of ['aid', 'sid', 'consent']) {
        write(name, '', 0);
        write(name, '', 0, ''); // A cookie from before the domain was set would be read first.
      }
    },
  };
}
