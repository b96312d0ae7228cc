import { deltaTable } from '../lake/delta/table.ts';
import { filesInScope } from '../lake/files/prune.ts';
import { TABLE_NAMES, tableSpec, type TableName } from '../lake/layout/tables.ts';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { dateRange } from './date.ts';
import { withStorage } from './storage.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor files --tenant <id> [options]

Lists the current Parquet files of a table, one a line: paths of a folder, or s3:// addresses. Each row is in exactly one of
them, and compaction does not change that. None is deleted within VACUUM_GRACE_HOURS. A glob over the folders may also find
replaced files that are not vacuumed yet.

  --tenant <id>
  --table events|quarantine  (default events)
  --segment <id>             only this segment; may be repeated
  --from, --to <date>        only these UTC dates, YYYY-MM-DD, both included
  --json                     with version, rows and bytes

  duckdb -c "select count(*) from read_parquet([$(spor files --tenant shop | sed "s/.*/'&'/" | paste -sd,)])"
`;

export const filesCommand = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    table: { type: 'string' },
    segment: { type: 'string', multiple: true },
    from: { type: 'string' },
    to: { type: 'string' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const table = tableOf(values.table ?? 'events');
    const scope = {
      segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
      ...dateRange(values),
    };
    await requireTenants(context, [tenantId]);
    const listed = await withStorage(context, async (storage) => {
      const { root, ...spec } = tableSpec(table, tenantId, createRegistry());
      const snapshot = await deltaTable(storage, { root, ...spec }).snapshot();
      const found = filesInScope(snapshot, scope).map(({ path, size, partitionValues, stats }) => ({
        file: storage.localPath(`${root}/${path}`) ?? `${storage.url.replace(/\/$/, '')}/${root}/${path}`,
        segment: partitionValues.segment,
        date: partitionValues.date,
        rows: stats === undefined ? undefined : (JSON.parse(stats) as { numRecords?: number }).numRecords,
        bytes: size,
      }));
      return { table, version: snapshot.version, files: found.sort((a, b) => (a.file < b.file ? -1 : 1)) };
    });
    if (listed.version < 0) context.err(`spor: tenant ${tenantId} has no table ${table} yet\n`);
    if (values.json) context.out(`${JSON.stringify(listed)}\n`);
    else for (const { file } of listed.files) context.out(`${file}\n`);
    return EXIT.done;
  },
});

function tableOf(text: string): TableName {
  const name = TABLE_NAMES.find((known) => known === text);
  if (name) return name;
  throw new UsageError(`--table ${text} is not one of ${TABLE_NAMES.join(', ')}`);
}
