import type { IncomingMessage } from 'node:http';
import { hasSafeIds, keyId, secretHash, stateOf, type KeyRecord } from '../../schemas/keys.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import type { PresentTimes } from '../../stream/comparedClock.ts';
import type { SecretWatch } from '../../stream/secretStore.ts';
import { LakeError } from '../../lake/errors.ts';

/** The holder of a server key: what it sends belongs to this segment. */
export interface KeySender {
  keyId: string;
  tenantId: string;
  segmentId: string;
}

const BEARER = /^Bearer +(ik_\S{1,200}) *$/i;

/**
 * Finds the server key of a request: the header `X-Instrumentation-Key`, or `Authorization: Bearer ik_…`.
 *
 * A key expires by no single clock, as a token.
 * @throws LakeError tokens_unavailable, key_missing, key_conflict, key_unknown, key_revoked, key_expired,
 * kind_not_allowed, clocks_differ
 */
export function authorizeKey(
  keys: SecretWatch<KeyRecord> | undefined,
  { headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>,
  times: PresentTimes,
): KeySender {
  if (!keys) throw new LakeError('tokens_unavailable', LAKE_ERRORS.tokens_unavailable.help, { retryAfterSeconds: 1 });
  const bearers = (headersDistinct.authorization ?? []).flatMap((text) => BEARER.exec(text)?.[1] ?? []);
  const given = new Set([...(headersDistinct['x-instrumentation-key'] ?? []), ...bearers].map((text) => text.trim()));
  given.delete('');
  if (given.size > 1) throw failure('key_conflict');
  const [secret] = given;
  if (secret === undefined) throw failure('key_missing');
  const hash = secretHash(secret);
  const record = keys.get(hash);
  if (!record || !hasSafeIds(record)) throw failure('key_unknown');
  const [state, ...others] = times.map((ms) => stateOf(record, ms));
  if (state === 'revoked') throw failure('key_revoked');
  if (others.some((other) => (other === 'expired') !== (state === 'expired'))) {
    const message = 'The clocks of this server and the stream server differ, and the key has expired by one of them.';
    throw new LakeError('clocks_differ', message, { retryAfterSeconds: 30 });
  }
  if (state === 'expired') throw failure('key_expired');
  if (record.kind !== 'server') throw failure('kind_not_allowed');
  return { keyId: keyId(hash), tenantId: record.tenantId, segmentId: record.segmentId };
}

function failure(
  code: 'key_missing' | 'key_conflict' | 'key_unknown' | 'key_revoked' | 'key_expired' | 'kind_not_allowed',
) {
  return new LakeError(code, LAKE_ERRORS[code].help);
}
