import { createHash } from 'node:crypto';
import type { Storage } from '../storage/storage.ts';
import { paddedVersion } from '../delta/paddedVersion.ts';

/**
 * An erased id, as the SHA-256 of tenant, segment and id; the id itself is stored nowhere.
 *
 * `linked` is an anonymous id that led to the person. A device may be shared, so its events count as the person's only
 * if they name no user.
 */
export interface ErasedId {
  kind: 'user' | 'anonymous' | 'linked';
  hash: string;
  /** Segment whose id it is; absent: the id is erased in all segments of the tenant. */
  segment?: string;
}

/** A tenant's list of erasures, to which entries are only added. */
export interface ErasureList {
  /** Number of entries. */
  version: number;
  ids: readonly ErasedId[];
}

interface Entry {
  ids: ErasedId[];
  /** ISO 8601. */
  at: string;
}

export const NO_ERASURES: ErasureList = { version: 0, ids: [] };

const ENTRY = /\/(\d{20})\.json$/;

/** The hash of an id, equal to that of hashSql. */
export function hashOf(tenantId: string, id: string, segment?: string): string {
  return createHash('sha256')
    .update(`${hashedPrefix(tenantId, segment)}${id}`)
    .digest('hex');
}

/** Text before an id in its hash. No tenant has a `#` in its name. */
export function hashedPrefix(tenantId: string, segment: string | undefined): string {
  return segment === undefined ? `${tenantId}/` : `${tenantId}#${segment}/`;
}

/** Folder of a tenant's list and reports. */
export function erasuresFolder(tenantId: string): string {
  return `erasures/tenant=${tenantId}`;
}

/** @throws LakeError storage_unavailable */
export async function readErasures(storage: Storage, tenantId: string): Promise<ErasureList> {
  const ids = new Map<string, ErasedId>();
  let version = 0;
  for await (const { path } of storage.list(`${erasuresFolder(tenantId)}/`)) {
    const match = ENTRY.exec(path);
    const body = match ? await storage.get(path) : undefined;
    if (!match || !body) continue;
    version = Math.max(version, Number(match[1]));
    const entry = JSON.parse(Buffer.from(body).toString('utf8')) as Entry;
    for (const id of entry.ids) ids.set(`${id.kind}/${id.hash}`, id);
  }
  return { version, ids: [...ids.values()] };
}

/**
 * Adds the ids that the list lacks, and returns the new list.
 *
 * The call can be repeated, and several processes may call it at once.
 */
export async function addErasures(storage: Storage, tenantId: string, ids: readonly ErasedId[]): Promise<ErasureList> {
  for (;;) {
    const list = await readErasures(storage, tenantId);
    const missing = ids.filter(({ kind, hash }) => !list.ids.some((one) => one.kind === kind && one.hash === hash));
    if (missing.length === 0) return list;
    const version = list.version + 1;
    const path = `${erasuresFolder(tenantId)}/${paddedVersion(version)}.json`;
    const entry: Entry = { ids: missing, at: new Date().toISOString() };
    // False if another process took this number: read again and take the next.
    await storage.putIfAbsent(path, Buffer.from(JSON.stringify(entry)));
  }
}
