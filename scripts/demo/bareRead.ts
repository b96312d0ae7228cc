import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { openStorage } from '../../lake/storage/open.ts';
import { readConfig } from '../../runtime/config.ts';
import { delay } from '../../runtime/retry.ts';
import type { Ledger } from '../load/ledger.ts';
import type { Stack } from '../stack/stack.ts';
import { dataGlob } from './dataGlob.ts';
import { findLakeFiles, readIds, type LakeFiles } from './lakeFiles.ts';
import { compare, type IdComparison } from './verify.ts';

/** Result of a bare read of the lake's files. */
export interface BareRead {
  files: LakeFiles;
  /** Comparisons in the order of the given tenants. */
  comparisons: IdComparison[];
}

/** Time for a former owner to delete its unused uploads. */
const CLEAN_UP_MS = 30_000;
const LOOK_MS = 200;

/**
 * Compares the ledger with a bare `read_parquet`, once all is committed (`allCommitted`).
 *
 * Uploads of an owner that lost its shard duplicate their events until they are deleted, so such a read is repeated for
 * a while.
 * @param since counts only rows received at or after this time
 */
export async function compareBare(
  stack: Stack,
  tenants: readonly string[],
  { ledger, since }: { ledger: Pick<Ledger, 'accepted' | 'unknown'>; since: Date },
): Promise<BareRead> {
  const config = readConfig(LAKE_SETTINGS, stack.env);
  const copy = join(stack.dir, 'lake-copy');
  const storage = await openStorage(config.lakeUrl, config);
  const deadline = performance.now() + CLEAN_UP_MS;
  try {
    for (;;) {
      await rm(copy, { recursive: true, force: true });
      const files = await findLakeFiles(config.lakeUrl, storage, copy);
      const comparisons: IdComparison[] = [];
      for (const tenantId of tenants) {
        const stored = await readIds(dataGlob(files.folder, 'events', tenantId), since);
        comparisons.push(compare(tenantId, ledger, stored));
      }
      const mayPass = comparisons.some(({ duplicated }) => duplicated.length > 0);
      if (!mayPass || performance.now() > deadline) return { files, comparisons };
      await delay(LOOK_MS);
    }
  } finally {
    storage.close();
  }
}
