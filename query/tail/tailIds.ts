import { lakeIds } from '../../lake/dedupe/lakeIds.ts';
import { idFile, type IdFile } from '../../lake/dedupe/plan.ts';
import type { StoredIds } from '../../lake/dedupe/duplicates.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { tableRoot } from '../../lake/layout/tables.ts';

/** Bounds by entry of the log: a snapshot's entries live on in the next, and parsing the statistics of thousands takes long. */
const BOUNDS = new WeakMap<AddFile, IdFile>();

/** A tenant's ids as a snapshot of its events has them, read from the files that queries read, too. */
export function tailIds(session: SqlSession, snapshot: Snapshot, localFiles: LocalFiles): StoredIds {
  return lakeIds(session, {
    list: () => Promise.resolve([...snapshot.files.values()].map(boundsOf)),
    withLocal: async (tenantId, files, task) => {
      const lease = await localFiles.lease(
        tableRoot('events', tenantId),
        files.map(({ path }) => snapshot.files.get(path)!),
      );
      try {
        return await task([...lease.paths.values()]);
      } finally {
        await lease.release();
      }
    },
  });
}

function boundsOf(file: AddFile): IdFile {
  const known = BOUNDS.get(file) ?? idFile(file);
  BOUNDS.set(file, known);
  return known;
}
