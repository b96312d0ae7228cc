import { armFailPoint, parseFailPoint } from '../../../runtime/failpoint.ts';
import { createLog } from '../../../runtime/log.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import { deltaTable } from '../../../lake/delta/table.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { COMPACTION_STEPS } from '../../../lake/maintenance/failpoint.ts';
import { openMaintenance } from '../../../lake/maintenance/maintenance.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';

/** Maintains one tenant of a lake in a process that dies at a step: `compactChild.ts <lake> <work> <tenant> <step>`. */
const [lake, workDir, tenantId, step] = process.argv.slice(2) as [string, string, string, string];
const storage = await openLocalStorage(lake);
const registry = createRegistry();
const engine = openDuckdb({ memory: '512MiB', threads: 1, spillDir: `${workDir}/spill` });
const maintenance = await openMaintenance({
  storage,
  table: (name, tenant) => deltaTable(storage, tableSpec(name, tenant, registry)),
  engine,
  checkpoints: duckdbCheckpoints(),
  workDir,
  log: createLog('child', 'silent'),
  share: 1,
  logRetentionMs: 3_600_000,
  vacuumGraceMs: undefined,
  reach: armFailPoint(parseFailPoint(COMPACTION_STEPS, step)),
});
const reports = await maintenance.run(tenantId);
await engine.close();
process.stdout.write(`${JSON.stringify(reports)}\n`);
