import type { Host } from './host.ts';

/**
 * The cookies a shop's backend reads: `spor_aid` and `spor_sid` with the visitor's and the session's id, `spor_consent` with
 * what the visitor has agreed to.
 */
export interface Cookies {
  /** The id in the cookie; undefined for anything that is not in the form of the tracker's own ids. */
  read(name: string): string | undefined;
  write(name: string, value: string, seconds: number): void;
  erase(name: string): void;
}

/**
 * A view of `document.cookie`, empty unless `on`. It may throw (sandboxed frames) or ignore what is written (blocked by
 * settings, a domain the page is not in); callers see that as "no cookie". What is read may have been written by anyone on
 * the shop's domain and its sub-domains.
 *
 * @param domain shares the cookies with its sub-domains; without it they are the page's host's alone.
 */
export function createCookies(host: Host, on: boolean | undefined, domain = ''): Cookies {
  const attempt = <T>(use: (document: NonNullable<Host['document']>) => T): T | undefined => {
    try {
      return use((on ? host.document : undefined)!); // Where there is none, that throws too.
    } catch {
      return; // The caller's "no cookie".
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
      write(name, '', 0, ''); // One from before the shop gave a domain would go on being read.
    },
  };
}
