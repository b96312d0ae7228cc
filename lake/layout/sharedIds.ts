import { randomBytes } from 'node:crypto';
import type { Snapshot } from '../delta/snapshot.ts';
import type { Table } from '../delta/table.ts';

/** Table property of a tenant's events table: `shared` or `segment`, and a mark that is new with each change. */
const ID_SCOPE_PROPERTY = 'spor.idScope';

/** Whether the segments of a tenant share the ids of orders, searches, visits and visitors. */
export function sharesIds(snapshot: Pick<Snapshot, 'metaData'>): boolean {
  return idScope(snapshot)?.startsWith('shared') ?? false;
}

/** The setting with its mark, by which derived tables notice a change; undefined if it was never made. */
export function idScope({ metaData }: Pick<Snapshot, 'metaData'>): string | undefined {
  return metaData?.configuration[ID_SCOPE_PROPERTY];
}

/** Say whether the segments of a tenant share their ids. */
export async function setSharedIds(events: Table, shared: boolean): Promise<void> {
  if (sharesIds(await events.snapshot()) === shared) return;
  const value = `${shared ? 'shared' : 'segment'} ${randomBytes(4).toString('hex')}`;
  const info = { operation: 'SET TBLPROPERTIES', operationParameters: { [ID_SCOPE_PROPERTY]: value } };
  await events.configure({ set: { [ID_SCOPE_PROPERTY]: value }, info });
}
