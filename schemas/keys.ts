import { createHash, randomBytes } from 'node:crypto';

/** KV buckets and what they hold; entries lie under the SHA-256 of the secret, which itself is stored nowhere. */
export const KEYS_BUCKET = 'spor_keys';
export const TOKENS_BUCKET = 'spor_tokens';

/** An instrumentation key: who may send, and as whom. */
export interface KeyRecord {
  tenantId: string;
  segmentId: string;
  /** A browser key is public; a server key is refused from browsers. */
  kind: 'browser' | 'server';
  /** Allowed `Origin` values, such as `https://shop.example`; empty: any. */
  origins: string[];
  label: string;
  /** Most events per second this key may send to one receiver; absent: no limit. */
  quotaEventsPerSecond?: number;
  createdAt: string;
  expiresAt?: string;
  revokedAt?: string;
}

/** A read token: who may query what. */
export interface TokenRecord {
  tenantId: string;
  /** Readable segments; empty: all of the tenant. */
  segmentIds: string[];
  label: string;
  createdAt: string;
  expiresAt?: string;
  revokedAt?: string;
}

/** A new opaque secret, 160 random bits behind a prefix that tells what it is (`ik_…` instrumentation key, `rt_…` read token). */
export function newSecret(prefix: 'ik' | 'rt'): string {
  return `${prefix}_${randomBytes(20).toString('base64url')}`;
}

/** The name a secret is stored under: its SHA-256 in hex. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Short name of a key for logs, metrics and rows: 16 hex digits of its hash. */
export function keyId(hash: string): string {
  return hash.slice(0, 16);
}
