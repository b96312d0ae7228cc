import { isDate } from '../../schemas/dateTime.ts';
import { asOrigin, type KeyRecord, type ReadTokenRecord } from '../../schemas/keys.ts';
import { MAX_QUOTA as MAX_LIMIT, QUOTA_NAMES, type QuotaName } from '../../schemas/quotas.ts';
import type { QuotaLimits } from './quotas.ts';
import { isId, reservedReason } from '../../schemas/subjects.ts';
import { LakeError } from '../../lake/errors.ts';

const MAX_LABEL = 200;
const MAX_ORIGINS = 100;
const MAX_SEGMENTS = 100;
const MAX_QUOTA = 1_000_000_000;

type Body = Record<string, unknown>;

/**
 * The record of a new instrumentation key, from a request's body.
 * @throws LakeError body_invalid
 */
export function keyRecord(tenantId: string, body: Body, nowMs: number): KeyRecord {
  const { segmentId, kind = 'browser', origins = [], label, expiresAt, quotaEventsPerSecond: quota, ...rest } = body;
  refuseUnknown(rest, ['segmentId', 'kind', 'origins', 'label', 'expiresAt', 'quotaEventsPerSecond']);
  for (const [what, name] of [
    ['tenant', tenantId],
    ['segment', segmentId],
  ]) {
    const reason = typeof name === 'string' ? reservedReason(name) : undefined;
    if (reason !== undefined) throw invalid(`The ${String(what)} ${String(name)} ${reason}. Choose another id.`);
  }
  if (kind !== 'browser' && kind !== 'server') throw invalid('"kind" must be "browser" or "server".');
  return {
    tenantId,
    segmentId: id('segmentId', segmentId),
    kind,
    origins: list('origins', origins, MAX_ORIGINS).map(origin),
    ...(quota === undefined || quota === null ? {} : { quotaEventsPerSecond: quotaOf(quota) }),
    ...common(label, expiresAt, nowMs),
  };
}

/**
 * The record of a new read token, from a request's body.
 * @throws LakeError body_invalid
 */
export function tokenRecord(tenantId: string, body: Body, nowMs: number): ReadTokenRecord {
  const { segmentIds = [], label, expiresAt, ...rest } = body;
  refuseUnknown(rest, ['segmentIds', 'label', 'expiresAt']);
  return {
    tenantId,
    segmentIds: list('segmentIds', segmentIds, MAX_SEGMENTS).map((segment) => id('segmentIds', segment)),
    ...common(label, expiresAt, nowMs),
  };
}

function common(label: unknown, expiresAt: unknown, nowMs: number): { label: string; createdAt: string } {
  const createdAt = new Date(nowMs).toISOString();
  if (label !== undefined && (typeof label !== 'string' || label.length > MAX_LABEL || !label.isWellFormed()))
    throw invalid(`"label" must be a text of at most ${MAX_LABEL} characters.`);
  const expiry = expiresAt === undefined || expiresAt === null ? {} : { expiresAt: later(expiresAt, nowMs) };
  return { label: (label ?? '').trim(), createdAt, ...expiry };
}

function later(value: unknown, nowMs: number): string {
  const zoned = typeof value === 'string' && isDate(value.slice(0, 10)) && /^.{10}T.*(Z|[+-]\d\d:\d\d)$/.test(value);
  const at = zoned ? Date.parse(value) : NaN;
  if (!(at > nowMs)) throw invalid('"expiresAt" must be a time to come with its zone, such as 2027-01-31T00:00:00Z.');
  return new Date(at).toISOString();
}

function id(name: string, value: unknown): string {
  if (typeof value === 'string' && isId(value)) return value;
  throw invalid(
    `"${name}" must be an id: lower-case letters, digits, - and _, beginning with a letter or digit, at most 63.`,
  );
}

function origin(value: unknown): string {
  const known = typeof value === 'string' ? asOrigin(value) : undefined;
  if (known === undefined)
    throw invalid('"origins" must hold origins such as https://shop.example, without a path or a wildcard.');
  return known;
}

/**
 * The limits of a tenant, from a request's body; null is absent.
 * @throws LakeError body_invalid
 */
export function quotaLimits(body: Body): QuotaLimits {
  const limits: QuotaLimits = {};
  for (const [name, value] of Object.entries(body)) {
    const known = QUOTA_NAMES.find((of) => of === name);
    if (known === undefined) refuseUnknown({ [name]: value }, QUOTA_NAMES);
    else if (value !== null) limits[known] = limitOf(known, value);
  }
  return limits;
}

function limitOf(name: QuotaName, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_LIMIT) return value as number;
  throw invalid(`"${name}" must be a whole number from 1 to ${MAX_LIMIT}, or null.`);
}

function quotaOf(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_QUOTA) return value as number;
  throw invalid(`"quotaEventsPerSecond" must be a whole number from 1 to ${MAX_QUOTA}, or absent.`);
}

function list(name: string, value: unknown, most: number): unknown[] {
  if (Array.isArray(value) && value.length <= most) return value as unknown[];
  throw invalid(`"${name}" must be a list of at most ${most} entries.`);
}

function refuseUnknown(rest: Body, fields: readonly string[]): void {
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw invalid(`"${unknown.slice(0, 80)}" is not known; fields are ${fields.join(', ')}.`);
}

function invalid(message: string): LakeError {
  return new LakeError('body_invalid', message);
}
