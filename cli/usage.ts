import type { UsageRow } from '../query/accounts/usage.ts';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { withLocalFiles } from './localFiles.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor usage [--tenant <id>] [--from <month>] [--to <month>] [--json]

Shows what each tenant used, by UTC month and segment: events, bytes, queries and storage. Counts of events are those of the
lake's commits, so they agree with "spor reconcile". Queries of query servers are counted, with a delay of
LAKE_USAGE_SECONDS. Rows without a segment hold queries, and events from before segments were counted.

  --from <month>   such as 2026-01 (default: the first there is)
  --to <month>     (default: the last there is)

  spor usage --from 2026-11 --to 2026-11
`;

const HEADINGS = [
  'tenant',
  'month',
  'segment',
  'accepted',
  'rejected',
  'bytes received',
  'queries',
  'CPU s',
  'rows',
  'query s',
  'storage bytes',
];

export const usageCommand = command({
  usage: USAGE,
  options: { tenant: { type: 'string' }, from: { type: 'string' }, to: { type: 'string' } },
  async run(values, _, context) {
    const wanted = values.tenant === undefined ? undefined : requiredId('--tenant', values.tenant);
    const from = values.from === undefined ? '' : monthOption('--from', values.from);
    const to = values.to === undefined ? '9999-12' : monthOption('--to', values.to);
    await requireTenants(context, wanted === undefined ? [] : [wanted]);
    const rows = await withLocalFiles(context, {}, async ({ storage, localFiles }) => {
      const { createUsageTables } = await import('../query/accounts/usageTable.ts');
      const { createTableCache } = await import('../lake/layout/tableCache.ts');
      const { listTenants } = await import('../lake/layout/tenants.ts');
      const usage = createUsageTables({ storage, localFiles, tables: createTableCache(storage, createRegistry()) });
      try {
        const found: (UsageRow & { tenantId: string })[] = [];
        for (const tenantId of wanted === undefined ? await listTenants(storage) : [wanted])
          found.push(...(await usage.read(tenantId)).map((row) => ({ tenantId, ...row })));
        return found.filter(({ month }) => month >= from && month <= to);
      } finally {
        await usage.close();
      }
    });
    if (values.json) context.out(`${JSON.stringify({ usage: rows })}\n`);
    else if (rows.length === 0) context.out('There is no usage in these months.\n');
    else context.out(formatTable(HEADINGS, rows.map(cells)));
    return EXIT.done;
  },
});

function cells(row: UsageRow & { tenantId: string }): (string | number)[] {
  const { tenantId, month, segment, accepted, rejected, bytesReceived } = row;
  const queries = [row.queries, row.queryCpuSeconds.toFixed(1), row.queryRows, row.querySeconds.toFixed(1)];
  return [tenantId, month, segment, accepted, rejected, bytesReceived, ...queries, row.storageBytes];
}

function monthOption(option: string, text: string): string {
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) return text;
  throw new UsageError(`${option} ${text} is not a month such as 2026-11`);
}
