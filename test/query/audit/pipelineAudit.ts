import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { createAudit, type Audit } from '../../../query/audit/audit.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import type { TestPipeline } from '../../support/testPipeline.ts';

/** The audit of a pipeline's stream and lake, as the query server has it. Close it. */
export function createPipelineAudit({ storage, connection }: TestPipeline): Audit {
  return createAudit({
    storage,
    tables: createTableCache(storage, createRegistry()),
    localFiles: lakeFolderFiles(storage),
    connection: () => connection,
  });
}
