/** Tenant and segment ids: safe as a subject token, a path segment and an SQL literal. */
export const ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Whether text may be a tenant or segment id. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** `events` holds at least one accepted event; `quarantine` holds only refused ones. */
export type SubjectKind = 'events' | 'quarantine';

export interface Subject {
  kind: SubjectKind;
  shard: number;
  tenantId: string;
  segmentId: string;
}

/**
 * The shard of a tenant: FNV-1a (32 bit, http://www.isthe.com/chongo/tech/comp/fnv/) of its id, modulo the number of
 * shards. All segments of a tenant share a shard, so that one processor owns the tenant's tables and its event ids.
 */
export function shardOf(tenantId: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < tenantId.length; i++) hash = Math.imul(hash ^ tenantId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}

/** Name of a shard's stream. */
export function streamName(shard: number): string {
  return `EVENTS_${shard}`;
}

/** Subjects a shard's stream captures. */
export function streamSubjects(shard: number): string[] {
  return [`events.${shard}.*.*`, `quarantine.${shard}.*.*`];
}

/** `events.2.demo-shop.web` */
export function formatSubject({ kind, shard, tenantId, segmentId }: Subject): string {
  return `${kind}.${shard}.${tenantId}.${segmentId}`;
}

/**
 * The parts of a subject.
 * @throws Error when it is not one of ours, or an id would escape a path.
 */
export function parseSubject(subject: string): Subject {
  const [kind, shard, tenantId, segmentId, ...rest] = subject.split('.');
  const known = kind === 'events' || kind === 'quarantine';
  if (!known || !/^\d+$/.test(shard ?? '') || !isId(tenantId ?? '') || !isId(segmentId ?? '') || rest.length > 0) {
    throw new Error(`subject ${subject} is not <events|quarantine>.<shard>.<tenant>.<segment>`);
  }
  return { kind, shard: Number(shard), tenantId: tenantId!, segmentId: segmentId! };
}
