import { createHash } from 'node:crypto';
import type { Storage } from '../storage/storage.ts';
import { paddedVersion } from '../delta/paddedVersion.ts';

/**
 * Who is erased, by the SHA-256 of tenant and id; the id itself is kept nowhere. `linked` is an anonymous id that led to the
 * person: its events count as the person's where they name no user at all, since a device may be shared.
 */
export interface ErasedId {
  kind: 'user' | 'anonymous' | 'linked';
  hash: string;
}

/** A tenant's list of erasures: it only grows, an entry at a time. */
export interface ErasureList {
  /** How many entries there are. */
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

/** The hash of an id, as hashSql computes it. */
export function hashOf(tenantId: string, id: string): string {
  return createHash('sha256').update(`${tenantId}/${id}`).digest('hex');
}

/** The folder of a tenant's list and reports. */
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

/** Puts ids on the list, those that are not on it yet; the list as it is then. Safe to repeat, and for several at once. */
export async function addErasures(storage: Storage, tenantId: string, ids: readonly ErasedId[]): Promise<ErasureList> {
  for (;;) {
    const list = await readErasures(storage, tenantId);
    const missing = ids.filter(({ kind, hash }) => !list.ids.some((one) => one.kind === kind && one.hash === hash));
    if (missing.length === 0) return list;
    const version = list.version + 1;
    const path = `${erasuresFolder(tenantId)}/${paddedVersion(version)}.json`;
    const entry: Entry = { ids: missing, at: new Date().toISOString() };
    // False: somebody else's entry has this number; read again, and take the next.
    await storage.putIfAbsent(path, Buffer.from(JSON.stringify(entry)));
  }
}
