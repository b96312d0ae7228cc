import { ReceiverError } from '../../schemas/errors.ts';
import type { PresentTimes } from '../../stream/comparedClock.ts';
import type { Key, Keyring } from './keyring.ts';

/** Credentials of a request. */
export interface Credentials {
  headerKey: string | undefined;
  bodyKey: string | undefined;
  /** The `Origin` header, which only browsers send. */
  origin: string | undefined;
}

/**
 * Find the key of a request, and check that it may send.
 * @throws ReceiverError key_missing, key_conflict, key_unknown, key_revoked, key_expired, kind_not_allowed, origin_not_allowed
 */
export function authorize(keyring: Keyring, { headerKey, bodyKey, origin }: Credentials, nowMs: number): Key {
  if (headerKey !== undefined && bodyKey !== undefined && headerKey !== bodyKey) {
    throw new ReceiverError('key_conflict', 'X-Instrumentation-Key and /instrumentationKey differ. Send one of them.');
  }
  const secret = headerKey ?? bodyKey;
  if (secret === undefined || secret === '') {
    throw new ReceiverError(
      'key_missing',
      'No instrumentation key. Send it as header X-Instrumentation-Key or as /instrumentationKey in the body.',
    );
  }
  const key = keyring.find(secret);
  if (!key) {
    throw new ReceiverError(
      'key_unknown',
      'The instrumentation key is unknown. Check its spelling, and that it belongs to this environment.',
    );
  }
  if (key.revoked) throw new ReceiverError('key_revoked', `Key ${key.keyId} was revoked. Use its successor.`);
  // An unreadable expiry counts as expired.
  if (!(nowMs < key.expiresAtMs))
    throw new ReceiverError('key_expired', `Key ${key.keyId} has expired. Use its successor.`);
  checkOrigin(key, origin);
  return key;
}

/**
 * Find the key of a request at the present time. A key expires only if no clock says otherwise.
 * @throws ReceiverError as authorize; clocks_differ if the key has expired by one of two clocks that differ
 */
export function authorizeAt(times: PresentTimes, keyring: Keyring, credentials: Credentials): Key {
  const [hostMs, streamMs] = times;
  if (streamMs === undefined) return authorize(keyring, credentials, hostMs);
  const key = authorize(keyring, credentials, Math.min(hostMs, streamMs));
  if (Math.max(hostMs, streamMs) < key.expiresAtMs) return key;
  const message = `The clocks of this receiver and the stream server differ, and key ${key.keyId} has expired by one of them. Send again later.`;
  throw new ReceiverError('clocks_differ', message, { retryAfterSeconds: 30 });
}

function checkOrigin(key: Key, origin: string | undefined): void {
  if (key.kind === 'server') {
    if (origin === undefined) return;
    throw new ReceiverError(
      'kind_not_allowed',
      `Key ${key.keyId} is a server key, but a page at ${origin} sent it. Use a browser key in pages. Revoke this key: it is public now.`,
    );
  }
  if (!key.origins || (origin !== undefined && key.origins.has(origin.toLowerCase()))) return;
  throw new ReceiverError(
    'origin_not_allowed',
    origin === undefined
      ? `Key ${key.keyId} is only for pages at listed origins, but the request names no origin. Use a server key outside browsers.`
      : `Origin ${origin} is not on the list of key ${key.keyId}. Add it to the key, or use another key.`,
  );
}

/** Check the quota of a key. @throws ReceiverError quota_exceeded */
export function checkQuota({ quota, keyId }: Key, nowMs: number): void {
  const waitSeconds = quota?.waitSeconds(nowMs) ?? 0;
  if (waitSeconds === 0) return;
  const message = `Key ${keyId} is over its quota of ${quota!.eventsPerSecond} events per second. Send again after ${waitSeconds} s.`;
  throw new ReceiverError('quota_exceeded', message, { retryAfterSeconds: waitSeconds });
}
