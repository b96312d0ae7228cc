import { lakeIds } from '../../lake/dedupe/lakeIds.ts';
import { idFile, type IdFile } from '../../lake/dedupe/plan.ts';
import type { StoredIds } from '../../lake/dedupe/duplicates.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { tableRoot } from '../../lake/layout/tables.ts';

/**
 * Id bounds by log entry.
 *
 * A snapshot shares its entries with the next one, and parsing the statistics of thousands is slow.
 */
const BOUNDS = new WeakMap<AddFile, IdFile>();

/** A tenant's ids in a snapshot of its events, read from cached files. */
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
