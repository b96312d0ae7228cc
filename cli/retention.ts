import { listTenants } from '../lake/layout/tenants.ts';
import { retentionDays, setRetention } from '../lake/maintenance/retention.ts';
import { createTableCache } from '../lake/layout/tableCache.ts';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { numberOption } from './number.ts';
import { withStorage } from './storage.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const set = command({
  usage: `Usage: spor retention set --tenant <id> (--days <n> | --forever) [--json]

Sets how long a tenant's events are kept. A day is removed when it is more than this number of days ago. It is the UTC day of
event_time, and for the quarantine the day of receipt. The setting covers events, quarantine and marts partitioned by date.
Processors remove days within minutes, in one commit a table, and so does "spor compact". The first vacuum after the grace time
deletes the files.
`,
  options: { tenant: { type: 'string' }, days: { type: 'string' }, forever: { type: 'boolean' } },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    if ((values.days === undefined) === !values.forever) throw new UsageError('give either --days or --forever');
    const days = values.days === undefined ? undefined : numberOption('--days', values.days, { min: 1, max: 36_500 });
    await requireTenants(context, [tenantId]);
    await withStorage(context, (storage) =>
      setRetention(createTableCache(storage, createRegistry())('events', tenantId), days),
    );
    const text = `events of ${tenantId} are kept ${days === undefined ? 'for ever' : `for ${days} days`}`;
    context.out(values.json ? `${JSON.stringify({ tenantId, days: days ?? null })}\n` : `${text}\n`);
    return EXIT.done;
  },
});

const show = command({
  usage: 'Usage: spor retention show [--tenant <id>] [--json]\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const wanted = tenant === undefined ? undefined : [requiredId('--tenant', tenant)];
    await requireTenants(context, wanted ?? []);
    const found = await withStorage(context, async (storage) => {
      const tables = createTableCache(storage, createRegistry());
      const rows: { tenantId: string; days: number | null }[] = [];
      for (const tenantId of wanted ?? (await listTenants(storage))) {
        rows.push({ tenantId, days: retentionDays(await tables('events', tenantId).snapshot()) ?? null });
      }
      return rows;
    });
    if (json) context.out(`${JSON.stringify(found)}\n`);
    else
      context.out(
        formatTable(
          ['tenant', 'days kept'],
          found.map(({ tenantId, days }) => [tenantId, days ?? 'for ever']),
        ),
      );
    return EXIT.done;
  },
});

export const retentionCommand = group(
  `Usage: spor retention set|show

  set    set how many days a tenant's events are kept
  show   show the settings
`,
  { set, show },
);
