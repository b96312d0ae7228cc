import { isId } from '../../../schemas/subjects.ts';
import type { KeyRecord } from '../../../schemas/keys.ts';
import type { ListedSecret, Secrets } from '../../access/secrets.ts';
import { LakeError } from '../../../lake/errors.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import type { LiveNews, LiveViews } from '../../live/liveView.ts';
import type { TenantReader } from '../authorize.ts';
import type { ReaderCall, Route } from '../route.ts';
import type { SecretsOf } from './secrets.ts';
import { WATCH_EVENTS } from '../contract/accessOperations.ts';

const KEY_ID = /^[0-9a-f]{16}$/;

/**
 * `GET /api/live[?key=<id>][&segment=<id>]`: outcomes of the tenant's events, from now on.
 *
 * The server-sent events are named `hello`, `events`, `skipped`, `behind` and `end`, with comments as heartbeats. The
 * answer ends when the token expires or is revoked.
 */
export function liveRoute(views: LiveViews, keys: SecretsOf['keys']): Route {
  return {
    ...WATCH_EVENTS,
    handle({ query, reader, recheck, signal }: ReaderCall) {
      const { tenantId, segmentIds, tokenId } = reader;
      const keyId = query.get('key') ?? undefined;
      if (keyId !== undefined && !KEY_ID.test(keyId))
        throw new LakeError(
          'secret_unknown',
          '"key" must be the id of a key, 16 hex digits; GET /api/keys lists them.',
        );
      if (keyId !== undefined && !ownKeys(keys(), reader).some(({ id }) => id === keyId))
        throw new LakeError('secret_unknown', `${tenantId} has no key ${keyId}; GET /api/keys lists its keys.`);
      const segment = query.get('segment');
      if (segment !== null && !(isId(segment) && (segmentIds.length === 0 || segmentIds.includes(segment))))
        throw new LakeError('tenant_forbidden', 'The token does not read this segment.');
      const segments = segment === null ? segmentIds : [segment];
      const news = views.open({ tenantId, segmentIds: segments, keyId, tokenId, recheck, signal });
      return {
        // A buffering proxy would show nothing for minutes.
        headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
        body: asEvents(news),
      };
    },
  };
}

function ownKeys(
  keys: Secrets<KeyRecord> | undefined,
  { tenantId, segmentIds }: TenantReader,
): ListedSecret<KeyRecord>[] {
  if (!keys) throw new LakeError('tokens_unavailable', LAKE_ERRORS.tokens_unavailable.help, { retryAfterSeconds: 1 });
  return keys
    .list(Date.now())
    .filter((key) => key.tenantId === tenantId)
    .filter((key) => segmentIds.length === 0 || segmentIds.includes(key.segmentId));
}

async function* asEvents(all: AsyncIterable<LiveNews>): AsyncGenerator<string> {
  for await (const { news, ...facts } of all) {
    yield news === 'beat' ? ': beat\n\n' : `event: ${news}\ndata: ${JSON.stringify(facts)}\n\n`;
  }
}
