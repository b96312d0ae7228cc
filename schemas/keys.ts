import { createHash, randomBytes } from 'node:crypto';
import { isId } from './subjects.ts';

/** What keys and tokens have in common. Times are ISO 8601 UTC. */
export interface SecretRecord {
  label: string;
  createdAt: string;
  expiresAt?: string;
  revokedAt?: string;
}

/** An instrumentation key: who may send, and as whom. */
export interface KeyRecord extends SecretRecord {
  tenantId: string;
  segmentId: string;
  /** A browser key is public; a server key is refused from browsers. */
  kind: 'browser' | 'server';
  /** Allowed `Origin` values, such as `https://shop.example`; empty: any. */
  origins: string[];
  /** Most events per second this key may send to one receiver; absent: no limit. */
  quotaEventsPerSecond?: number;
}

/** A read token: who may query what. */
export interface ReadTokenRecord extends SecretRecord {
  role?: undefined;
  tenantId: string;
  /** Readable segments; empty: all of the tenant. */
  segmentIds: string[];
}

/** An operator token: reads any tenant, and creates, lists and revokes keys and read tokens. */
export interface OperatorTokenRecord extends SecretRecord {
  role: 'operator';
  tenantId?: undefined;
  segmentIds?: undefined;
}

export type TokenRecord = ReadTokenRecord | OperatorTokenRecord;

/**
 * A new opaque secret, 160 random bits behind a prefix that tells what it is: `ik_…` instrumentation key, `rt_…` read
 * token, `ot_…` operator token.
 */
export function newSecret(prefix: 'ik' | 'rt' | 'ot'): string {
  return `${prefix}_${randomBytes(20).toString('base64url')}`;
}

/** Whether text is a secret by its prefix, which must not be repeated in messages and logs. */
export function looksSecret(text: string): boolean {
  return /^(ik|rt|ot)_/.test(text);
}

/** The name a secret is stored under: its SHA-256 in hex. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Short name of a key for logs, metrics and rows: 16 hex digits of its hash. */
export function keyId(hash: string): string {
  return hash.slice(0, 16);
}

export type SecretState = 'active' | 'expiring' | 'expired' | 'revoked';

/** Whether a secret works at a moment; `expiring` still does. An expiry that is no date never allows. */
export function stateOf(record: SecretRecord, nowMs: number): SecretState {
  if (record.revokedAt !== undefined) return 'revoked';
  if (record.expiresAt === undefined) return 'active';
  return nowMs < Date.parse(record.expiresAt) ? 'expiring' : 'expired';
}

/** An origin as browsers send it: scheme, host and port, nothing after; undefined where the text is none. */
export function asOrigin(text: string): string | undefined {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null';
  return origin !== 'null' && origin === text.replace(/\/$/, '').toLowerCase() ? origin : undefined;
}

/** Whether the ids of a token's record may become folder names: a record written past our own tools must not escape them. */
export function hasSafeIds({ tenantId, segmentIds }: Partial<ReadTokenRecord>): boolean {
  return isIdText(tenantId) && (segmentIds ?? []).every(isIdText);
}

function isIdText(value: unknown): boolean {
  return typeof value === 'string' && isId(value);
}
