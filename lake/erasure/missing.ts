import type { Table } from '../delta/table.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import type { Storage } from '../storage/storage.ts';
import { hashOf, type ErasureList } from './list.ts';
import { localFile, rowsOf } from '../files/localRows.ts';
import { isOfPerson, type RowKind } from './person.ts';

/** An id as the caller gave it. */
export interface AskedId {
  kind: 'user' | 'anonymous';
  id: string;
}

/** Ids that no table and no erasure knows. The message names them; nothing was changed. */
export class IdsMissingError extends Error {
  override name = 'IdsMissingError';
}

/** Ids as messages name them: `user "4711", anonymous "0f3c"`. */
export function namesOf(ids: readonly AskedId[]): string {
  return ids.map(({ kind, id }) => `${kind} ${JSON.stringify(id)}`).join(', ');
}

/**
 * The ids that neither a table nor the list of erasures has.
 *
 * Reading stops once all ids are found.
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function findMissing(
  ids: readonly AskedId[],
  lake: {
    storage: Storage;
    session: SqlSession;
    folder: string;
    tenantId: string;
    segments?: readonly string[] | undefined;
    list: ErasureList;
    tables: readonly { table: Table; kind: RowKind }[];
  },
): Promise<AskedId[]> {
  const { list, tables } = lake;
  let missing = ids.filter((asked) => !isListed(asked, lake, list));
  for (const { table, kind } of tables) {
    const read = new Set<string>();
    for (;;) {
      // Compaction may move rows meanwhile, so reading repeats until there are no new files.
      const files = [...(await table.snapshot()).files.keys()].filter((path) => !read.has(path));
      if (missing.length === 0 || files.length === 0) break;
      for (const path of files) {
        if (missing.length === 0) break;
        read.add(path);
        const found = await foundIn(missing, { ...lake, table, kind, path });
        missing = missing.filter((_, index) => !found[index]);
      }
    }
  }
  return missing;
}

/** Whether the list has an id; a visitor erased as linked to a user counts. */
function isListed(
  { kind, id }: AskedId,
  { tenantId, segments }: { tenantId: string; segments?: readonly string[] | undefined },
  { ids }: ErasureList,
): boolean {
  const has = (hash: string): boolean =>
    ids.some((listed) => listed.hash === hash && (listed.kind === 'user') === (kind === 'user'));
  if (has(hashOf(tenantId, id))) return true;
  return segments !== undefined && segments.every((segment) => has(hashOf(tenantId, id, segment)));
}

/** The ids of which a file has rows; none if the file has left the table. */
async function foundIn(
  ids: readonly AskedId[],
  where: {
    storage: Storage;
    session: SqlSession;
    folder: string;
    tenantId: string;
    segments?: readonly string[] | undefined;
    table: Table;
    kind: RowKind;
    path: string;
  },
): Promise<boolean[]> {
  const { storage, session, folder, tenantId, segments, table, kind, path } = where;
  try {
    const local = await localFile(storage, `${table.spec.root}/${path}`, folder);
    try {
      const columns = await session.run(`DESCRIBE SELECT * FROM ${rowsOf(local.file)}`);
      const conditions = ids.map((asked, index) => {
        const of = (wanted: AskedId['kind']): string[] => (asked.kind === wanted ? [asked.id] : []);
        const given = { users: of('user'), anonymous: of('anonymous'), linked: [] };
        const person = { ...given, segments, tenantId, linkedHashes: [] };
        return `coalesce(bool_or(${isOfPerson(kind, columns, person)}), false) AS found_${index}`;
      });
      const [row] = await session.run(`SELECT ${conditions.join(', ')} FROM ${rowsOf(local.file)} AS line`);
      return ids.map((_, index) => row![`found_${index}`] === true);
    } finally {
      await local.release();
    }
  } catch (error) {
    if ((await table.snapshot()).files.has(path)) throw error;
    return ids.map(() => false);
  }
}
