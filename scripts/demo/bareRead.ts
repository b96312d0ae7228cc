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

/** What a bare read of the lake's files finds. */
export interface BareRead {
  files: LakeFiles;
  /** In the order of the tenants asked for. */
  comparisons: IdComparison[];
}

/** An owner that lost its shard deletes what it has uploaded in vain; on a busy machine that may take it a while. */
const CLEAN_UP_MS = 30_000;
const LOOK_MS = 200;

/**
 * Compares the ledger with a bare `read_parquet` over the files, once all is committed (`allCommitted`). Files of an owner
 * that lost its shard show every event of theirs twice until they are deleted: such a look is repeated for a while.
 * @param since only rows received at or after this time
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
