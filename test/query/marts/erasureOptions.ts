import type { EraseOptions } from '../../../lake/erasure/erase.ts';
import { martSpecs } from '../../../query/marts/mart.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createRegistry } from '../../../schemas/registry.ts';

const REGISTRY = createRegistry();

/** Erases users of the demo shop, with their linked visitors. */
export function erasureOptions(storage: Storage, workDir: string, users: readonly string[]): EraseOptions {
  return {
    storage,
    tables: createTableCache(storage, REGISTRY),
    tenantId: 'demo-shop',
    derived: martSpecs(REGISTRY, 'demo-shop'),
    users,
    anonymous: [],
    withLinked: true,
    dryRun: false,
    by: 'the tests',
    workDir,
    memoryMb: 512,
    vacuumGraceMs: 0,
  };
}
