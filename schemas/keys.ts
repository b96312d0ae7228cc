import { createHash, randomBytes } from 'node:crypto';
import { isId } from './subjects.ts';

/** Common fields of keys and tokens. Times are ISO 8601 UTC. */
export interface SecretRecord {
  label: string;
  createdAt: string;
  expiresAt?: string;
  revokedAt?: string;
}

/** Kind of a key. A browser key is public; browsers must not send a server key. */
export type KeyKind = 'browser' | 'server';

/** An instrumentation key: the permission to send events of a segment. */
export interface KeyRecord extends SecretRecord {
  tenantId: string;
  segmentId: string;
  kind: KeyKind;
  /** Allowed `Origin` values, such as `https://shop.example`; empty: any. */
  origins: string[];
  /** Most events per second this key may send to one receiver; absent: no limit. */
  quotaEventsPerSecond?: number;
}

/** A read token: the permission to query a tenant. */
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

/** Roles of people within a tenant. */
export const PERSON_ROLES = ['analyst', 'merchandiser', 'integrator'] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];

/** A role of a person in a tenant. */
export interface Grant {
  role: PersonRole;
  tenantId: string;
  /** Empty: all segments. */
  segmentIds: string[];
}

/** A session of a person, by the secret of a cookie. */
export interface SessionRecord extends SecretRecord {
  role: 'person';
  tenantId?: undefined;
  segmentIds?: undefined;
  /** Whether the person may do what an operator token may. */
  operator: boolean;
  grants: Grant[];
  /** Id of the person at the provider. */
  subject: string;
}

export type TokenRecord = ReadTokenRecord | OperatorTokenRecord | SessionRecord;

/**
 * Generate a secret of 160 random bits.
 * Its prefix names its kind: `ik_…` instrumentation key, `rt_…` read token, `ot_…` operator token, `st_…` session.
 */
export function newSecret(prefix: 'ik' | 'rt' | 'ot' | 'st'): string {
  return `${prefix}_${randomBytes(20).toString('base64url')}`;
}

/** Test for the prefix of a secret, which messages and logs must not show. */
export function looksSecret(text: string): boolean {
  return /^(ik|rt|ot|st)_/.test(text);
}

/** Key of a secret's record: its SHA-256 in hex. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Id of a secret in logs, metrics and rows: 16 hex digits of its hash. */
export function keyId(hash: string): string {
  return hash.slice(0, 16);
}

export type SecretState = 'active' | 'expiring' | 'expired' | 'revoked';

/** State of a secret; `active` and `expiring` are valid. An unreadable expiry counts as expired. */
export function stateOf(record: SecretRecord, nowMs: number): SecretState {
  if (record.revokedAt !== undefined) return 'revoked';
  if (record.expiresAt === undefined) return 'active';
  return nowMs < Date.parse(record.expiresAt) ? 'expiring' : 'expired';
}

/** Hosts that a page can have: names and addresses, without wildcards and other signs that URLs allow. */
const PAGE_ORIGIN = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d+)?$/;
/** Origins of apps and extensions, such as `capacitor://localhost`, `chrome-extension://<id>` or `file://`. */
const APP_ORIGIN = /^(?!(https?|wss?|ftp):)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]*(:\d+)?$/;
const PORT = /:\d+$/;

/**
 * Normalize an origin to the form of browsers; undefined for a text that no browser sends.
 *
 * `null` is the origin of files, sandboxed frames and some apps. Names in other scripts become ASCII (RFC 3490).
 */
export function asOrigin(text: string): string | undefined {
  const bare = text.toLowerCase().replace(/(?<=[^/])\/$/, '');
  if (bare === 'null' || APP_ORIGIN.test(bare)) return bare;
  if (!/^https?:\/\/[^/?#@\\\s]+$/.test(bare) || !URL.canParse(bare)) return undefined;
  const { origin } = new URL(bare);
  // Browsers leave out the scheme's own port.
  return PAGE_ORIGIN.test(origin) && PORT.test(origin) === PORT.test(bare) ? origin : undefined;
}

/** Test that a token's ids are safe as folder names. Other tools may have written its record. */
export function hasSafeIds({ tenantId, segmentIds }: Partial<ReadTokenRecord>): boolean {
  return isIdText(tenantId) && (segmentIds ?? []).every(isIdText);
}

function isIdText(value: unknown): boolean {
  return typeof value === 'string' && isId(value);
}
