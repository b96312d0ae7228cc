import type { SecretWatch } from '../../runtime/secretStore.ts';
import { keyId, secretHash, type TokenRecord } from '../../schemas/keys.ts';
import { isId } from '../../schemas/subjects.ts';
import { LakeError } from '../errors.ts';

/** Whose data a request may read. */
export interface Reader {
  tokenId: string;
  tenantId: string;
  /** Empty: all segments. */
  segmentIds: readonly string[];
}

const BEARER = /^Bearer +(\S{1,200}) *$/i;

/**
 * The reader a request's `Authorization` header stands for.
 * @throws LakeError token_missing, token_unknown, token_revoked, token_expired
 */
export function authorize(tokens: SecretWatch<TokenRecord>, header: string | undefined, nowMs: number): Reader {
  const secret = BEARER.exec(header ?? '')?.[1];
  if (secret === undefined)
    throw new LakeError('token_missing', 'No read token. Send it as "Authorization: Bearer rt_…".');
  const hash = secretHash(secret);
  const record = tokens.get(hash);
  // The ids become folder names: a record written past the command line must not escape them.
  if (!record || !isId(String(record.tenantId)) || !(record.segmentIds ?? []).every((id) => isId(String(id)))) {
    throw new LakeError(
      'token_unknown',
      'The read token is not known here. Check it for typing errors, and that it belongs to this environment.',
    );
  }
  const tokenId = keyId(hash);
  if (record.revokedAt !== undefined)
    throw new LakeError('token_revoked', `Token ${tokenId} was revoked. Use its successor.`);
  // An expiry that is no date never allows.
  if (record.expiresAt !== undefined && !(nowMs < Date.parse(record.expiresAt))) {
    throw new LakeError('token_expired', `Token ${tokenId} has expired. Use its successor.`);
  }
  return { tokenId, tenantId: record.tenantId, segmentIds: record.segmentIds ?? [] };
}
