import type { Table } from '../lake/delta/table.ts';
import { TABLE_NAMES } from '../lake/layout/tables.ts';
import { datesOf, firstKeptDate, retentionDays, setRetention } from '../lake/maintenance/retention.ts';
import { createTableCache } from '../lake/layout/tableCache.ts';
import { createRegistry } from '../schemas/registry.ts';
import { changeLake } from './changing.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { withPresent } from './clocks.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';
import { tenantSettings } from './tenantSettings.ts';

const set = command({
  usage: `Usage: spor retention set --tenant <id> (--days <n> | --forever) [--force] [--json]

Sets how long a tenant's events are kept. A day is removed when it is more than this number of days ago. It is the UTC day of
event_time, and for the quarantine the day of receipt. The setting covers events, quarantine and marts partitioned by date.
Processors remove days within minutes, in one commit a table, and so does "spor compact". All days that are over now are removed
at once, and later at most one new day a day. "spor retention undo" restores them until vacuum deletes the files.

The days go by the store's clock. The command refuses if the clocks of this host, the store and the stream server differ by more
than 15 minutes, or if no day of the tenant would be left.

  --force   set it all the same
`,
  options: {
    tenant: { type: 'string' },
    days: { type: 'string' },
    forever: { type: 'boolean' },
    force: { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    if ((values.days === undefined) === !values.forever) throw new UsageError('give either --days or --forever');
    const days = values.days === undefined ? undefined : numberOption('--days', values.days, { min: 1, max: 36_500 });
    const force = values.force ?? false;
    await requireTenants(context, [tenantId]);
    const change = { action: 'retention.set', tenantId, after: { days: days ?? null } };
    const before = await changeLake(context, change, async (storage, note) => {
      const events = createTableCache(storage, createRegistry())('events', tenantId);
      note({ before: { days: retentionDays(await events.snapshot()) ?? null } });
      if (days === undefined) return setRetention(events, undefined).then(() => undefined);
      const now = force ? await storage.now() : await withPresent(context, storage, (present) => present());
      const firstKept = firstKeptDate(days, now);
      if (!force) await refuseAll(events, { tenantId, firstKept });
      await setRetention(events, days, now);
      return firstKept;
    });
    const text = `events of ${tenantId} are kept ${days === undefined ? 'for ever' : `for ${days} days`}\n`;
    const removed = before === undefined ? '' : `days before ${before} are removed within minutes\n`;
    context.out(
      values.json ? `${JSON.stringify({ tenantId, days: days ?? null, before: before ?? null })}\n` : text + removed,
    );
    return EXIT.done;
  },
});

/** @throws Error if no day of the events would be left: a clock or a number is probably wrong */
async function refuseAll(
  events: Table,
  { tenantId, firstKept }: { tenantId: string; firstKept: string },
): Promise<void> {
  const newest = datesOf(await events.snapshot())
    .sort()
    .at(-1);
  if (newest === undefined || newest >= firstKept) return;
  throw new Error(
    `this would remove every day of ${tenantId}: its newest day is ${newest}, and days before ${firstKept} would go. ` +
      'Check the number and the clock of the store, or give --force',
  );
}

const undo = command({
  usage: `Usage: spor retention undo --tenant <id> [--json]

Restores the days that retention has removed, as far as vacuum has not deleted their files yet. That is a day or more by default.
From then on the tenant's events are kept for ever, until you set the days again. Days are not restored after an erasure
("spor erase"), because their files may hold the person's data.
`,
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const tenantId = requiredId('--tenant', tenant);
    await requireTenants(context, [tenantId]);
    const tables = await changeLake(context, { action: 'retention.undo', tenantId }, async (storage, note) => {
      const table = createTableCache(storage, createRegistry());
      note({ before: { days: retentionDays(await table('events', tenantId).snapshot()) ?? null } });
      await setRetention(table('events', tenantId), undefined);
      const { undoExpiry } = await import('../lake/maintenance/expiry.ts');
      const undone: { table: string; restored: string[]; gone: string[] }[] = [];
      for (const name of TABLE_NAMES)
        undone.push({ table: name, ...(await undoExpiry(table(name, tenantId), storage)) });
      note({ after: { days: null, tables: undone } });
      return undone;
    });
    if (json) context.out(`${JSON.stringify({ tenantId, tables })}\n`);
    else {
      const rows = tables.map(({ table, restored, gone }) => [table, restored.join(' '), gone.join(' ')]);
      context.out(formatTable(['table', 'restored', 'gone'], rows));
      context.out(`events of ${tenantId} are kept for ever\n`);
    }
    return EXIT.done;
  },
});

const show = command({
  usage: 'Usage: spor retention show [--tenant <id>] [--json]\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const found = await tenantSettings(context, tenant, (events) => ({ days: retentionDays(events) ?? null }));
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
  `Usage: spor retention set|show|undo

  set    set how many days a tenant's events are kept
  show   show the settings
  undo   restore the days that retention removed, until vacuum deletes their files
`,
  { set, show, undo },
);
