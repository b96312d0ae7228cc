/** Form of tenant and segment ids, safe in subjects, paths and SQL literals. */
export const ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Test for a valid tenant or segment id. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** Why no key is made for a tenant or segment of this id; undefined if one may be made. */
export function reservedReason(id: string): string | undefined {
  if (id === UNATTRIBUTED_TENANT) return 'is reserved for messages of no tenant';
  // A partition named "null" is SQL's NULL to DuckDB and other readers of hive paths.
  return id === 'null' ? 'means "no value" to readers of the lake' : undefined;
}

/** Tenant of stream messages that name none, in the quarantine. No key may be made for it. */
export const UNATTRIBUTED_TENANT = 'spor-unattributed';

/** `events`: at least one event was accepted; `quarantine`: all were rejected. */
export type SubjectKind = 'events' | 'quarantine';

export interface Subject {
  kind: SubjectKind;
  shard: number;
  tenantId: string;
  segmentId: string;
}

/** The shards in use: consecutive numbers. Each growth begins a new range. */
export interface ShardRange {
  first: number;
  shards: number;
}

/** Numbers of a range, in order. */
export function shardNumbers({ first, shards }: ShardRange): number[] {
  return Array.from({ length: shards }, (_, index) => first + index);
}

/**
 * The shard of a tenant: FNV-1a of its id, modulo the number of shards, from the first one on.
 * All segments of a tenant share a shard, so that one processor owns the tenant's tables and event ids.
 * FNV-1a has 32 bits here: http://www.isthe.com/chongo/tech/comp/fnv/
 */
export function shardOf(tenantId: string, shards: number, first = 0): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < tenantId.length; i++) hash = Math.imul(hash ^ tenantId.charCodeAt(i), 0x01000193);
  return first + ((hash >>> 0) % shards);
}

const STREAM_PREFIX = 'EVENTS_';

/** Name of a shard's stream. */
export function streamName(shard: number): string {
  return `${STREAM_PREFIX}${shard}`;
}

/** Shard of a stream's name. */
export function shardOfStream(name: string): number {
  return Number(name.slice(STREAM_PREFIX.length));
}

/** Subjects of a shard's stream. */
export function streamSubjects(shard: number): string[] {
  return [`events.${shard}.*.*`, `quarantine.${shard}.*.*`];
}

/** `events.2.demo-shop.web` */
export function formatSubject({ kind, shard, tenantId, segmentId }: Subject): string {
  return `${kind}.${shard}.${tenantId}.${segmentId}`;
}

/**
 * Parse a subject.
 * @throws Error if the subject has another form, or an id that is not safe in a path
 */
export function parseSubject(subject: string): Subject {
  const [kind, shard, tenantId, segmentId, ...rest] = subject.split('.');
  const known = kind === 'events' || kind === 'quarantine';
  if (!known || !/^\d+$/.test(shard ?? '') || !isId(tenantId ?? '') || !isId(segmentId ?? '') || rest.length > 0) {
    throw new Error(`subject ${subject} is not <events|quarantine>.<shard>.<tenant>.<segment>`);
  }
  return { kind, shard: Number(shard), tenantId: tenantId!, segmentId: segmentId! };
}
