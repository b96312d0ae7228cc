import type { Audit } from '../query/audit/audit.ts';
import { createRegistry } from '../schemas/registry.ts';
import type { Context } from './command.ts';
import { withLocalFiles } from './localFiles.ts';
import { withStream } from './stream.ts';

const MEMORY_MB = 1_024;

/** Run a task with audits of the environment's lake and stream. */
export function withAudit<T>(context: Context, task: (audit: Audit) => Promise<T>): Promise<T> {
  return withLocalFiles(context, {}, ({ storage, localFiles }) =>
    withStream(context, async (connection, { replicas }) => {
      const { createAudit } = await import('../query/audit/audit.ts');
      const { createTableCache } = await import('../lake/layout/tableCache.ts');
      const tables = createTableCache(storage, createRegistry());
      const options = { storage, tables, localFiles, replicas, memoryMb: MEMORY_MB };
      const audit = createAudit({ ...options, connection: () => connection });
      try {
        return await task(audit);
      } finally {
        await audit.close();
      }
    }),
  );
}
