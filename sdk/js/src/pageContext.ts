import type { EventContext } from './api.ts';
import type { Host } from './host.ts';

/**
 * Remove the fragment and unlisted parameters from an address.
 *
 * Queries often carry mail addresses and tokens. The result is undefined if empty. The receiver cuts what is too long.
 */
export function stripUrl(address: string, allowQuery: readonly string[]): string | undefined {
  const [path, query = ''] = address.split('#')[0]!.split('?');
  const kept = query.split('&').filter((pair) => allowQuery.includes(pair.split('=')[0]!));
  return path + (kept[0] ? `?${kept.join('&')}` : '') || undefined;
}

/** Address and referrer of the page; undefined outside pages. */
export function pageContext(host: Host, allowQuery: readonly string[]): EventContext | undefined {
  const { document, location, navigator } = host;
  return (
    document &&
    ({
      url: stripUrl(location!.href, allowQuery),
      referrer: stripUrl(document.referrer, allowQuery),
      locale: document.documentElement.lang || navigator!.language,
    } as EventContext)
  );
}
