import { contentSecurityPolicy, readPageFiles } from '../pageFiles.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Reply, Route } from '../route.ts';

const PAGE = 'index.html';

/**
 * `GET /console/…` and `/`, which redirects there.
 *
 * The page holds no secrets; its data needs a token.
 */
export function consoleRoutes(): Route[] {
  const files = readPageFiles();
  const page = files.get(PAGE)!;
  const safety = {
    'content-security-policy': contentSecurityPolicy(page.body.toString()),
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  };
  const toConsole = (): Reply => ({ status: 302, headers: { location: '/console/' } });

  return [
    { method: 'GET', path: '/', access: 'open', handle: toConsole },
    { method: 'GET', path: '/console', access: 'open', handle: toConsole },
    {
      method: 'GET',
      path: '/console/:path*',
      access: 'open',
      handle({ params, request }) {
        const file = files.get(params.path || PAGE);
        if (!file) throw new LakeError('not_found', 'The console has no such file. Its page is /console/.');
        const headers: Record<string, string> = {
          ...safety,
          'content-type': file.type,
          // The browser revalidates each file, so all parts of the page have the same version.
          'cache-control': 'no-cache',
          etag: file.etag,
          vary: 'accept-encoding',
        };
        if (request.headers['if-none-match'] === file.etag) return { status: 304, headers };
        const gzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
        if (!gzip) return { headers, body: file.body };
        return { headers: { ...headers, 'content-encoding': 'gzip' }, body: file.gzipped };
      },
    },
  ];
}
