import type { Host } from './host.ts';

/**
 * Cookies for a shop's backend.
 *
 * `spor_aid` is the visitor's id, `spor_sid` the session's id, and `spor_consent` the visitor's decision.
 */
export interface Cookies {
  /** Read an id of the tracker's form from a cookie; otherwise undefined. */
  read(name: string): string | undefined;
  write(name: string, value: string, seconds: number): void;
  erase(name: string): void;
}

/**
 * Open a view of `document.cookie`, empty unless `on`.
 *
 * Access may throw (sandboxed frames). Writes may have no effect (browser settings, or a foreign domain). Callers treat both as
 * "no cookie".
 *
 * Anyone on the shop's domain and its sub-domains may have written a cookie.
 * @param domain shares the cookies with its sub-domains; by default they belong to the page's host.
 */
export function createCookies(host: Host, on: boolean | undefined, domain = ''): Cookies {
  const attempt = <T>(use: (document: NonNullable<Host['document']>) => T): T | undefined => {
    try {
      return use((on ? host.document : undefined)!); // Throws without a document.
    } catch {
      return; // Callers treat undefined as "no cookie".
    }
  };
  const write = (name: string, value: string, seconds: number, scope = domain && `;domain=${domain}`): void => {
    attempt((document) => {
      const secure = host.location!.href.startsWith('https') ? ';secure' : '';
      document.cookie = `spor_${name}=${value};path=/;samesite=lax;max-age=${seconds}${scope}${secure}`;
    });
  };
  return {
    read: (name) => attempt(({ cookie }) => RegExp(`(^|; )spor_${name}=([\\da-f-]{36})(;|$)`).exec(cookie)?.[2]),
    write,
    erase: (name) => {
      write(name, '', 0);
      write(name, '', 0, ''); // A cookie from before the domain was set would be read first.
    },
  };
}
