/**
 * Compacts some tenants' tables once, and dies at a step if one is named.
 *
 * A processor killed in a compaction leaves the same state, while others flush. Thresholds are far lower than the
 * processor's. Exit code 0 means that there was nothing to compact.
 *
 * With a wrong clock it first lets all days before yesterday expire by that clock. No command of Spor can do that: it is
 * the negative control of the clocks.
 *
 * Arguments: the tenants, separated by commas; the step or nothing; the shift of the clock in milliseconds. Lake settings
 * and WORK_DIR come as variables.
 */
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { duckdbCheckpoints } from '../../lake/delta/checkpointParquet.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { COMPACTION_STEPS } from '../../lake/maintenance/failpoint.ts';
import { openMaintenance } from '../../lake/maintenance/maintenance.ts';
import { COMPACTION } from '../../lake/maintenance/plan.ts';
import { setRetention } from '../../lake/maintenance/retention.ts';
import { openStorage } from '../../lake/storage/open.ts';
import { tableSpec, type TableName } from '../../lake/layout/tables.ts';
import { readConfig } from '../../runtime/config.ts';
import { armFailPoint, parseFailPoint } from '../../runtime/failpoint.ts';
import { createLog } from '../../runtime/log.ts';
import { createRegistry } from '../../schemas/registry.ts';

/** Files of a kind that suffice in a short run. */
const OPEN_FILES = 3;

process.once('disconnect', () => process.exit(1));

const [tenants = '', step = '', byMs = '0'] = process.argv.slice(2);
const workDir = process.env.WORK_DIR ?? '.';
const config = readConfig(LAKE_SETTINGS, process.env);
const storage = await openStorage(config.lakeUrl, config);
const rightNow = storage.now.bind(storage);
const wrongNow = async (): Promise<number> => (await rightNow()) + Number(byMs);
if (byMs !== '0') storage.now = wrongNow;
const engine = openDuckdb({ memory: '512MiB', threads: 1, spillDir: join(workDir, 'spill') });
const registry = createRegistry();
const checkpoints = duckdbCheckpoints();
const table = (name: TableName, tenantId: string): Table =>
  deltaTable(storage, tableSpec(name, tenantId, registry), { checkpoints });
const maintenance = await openMaintenance({
  storage,
  table,
  engine,
  checkpoints,
  workDir,
  log: createLog('compactor', 'info'),
  share: 1,
  logRetentionMs: 3_600_000,
  vacuumGraceMs: undefined,
  compaction: { ...COMPACTION, openFiles: OPEN_FILES },
  reach: armFailPoint(parseFailPoint(COMPACTION_STEPS, step)),
  ...(byMs === '0' ? {} : { present: wrongNow }),
});
for (const tenantId of tenants.split(',')) {
  if (byMs !== '0') await setRetention(table('events', tenantId), 1, await wrongNow());
  await maintenance.run(tenantId);
}
await engine.close();
storage.close();
process.exit(0);
