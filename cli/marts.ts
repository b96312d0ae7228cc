import { join } from 'node:path';
import type { MartRefresher } from '../query/marts/martRefresher.ts';
import { listMarts } from '../query/marts/mart.ts';
import type { MartReport } from '../query/marts/refresh.ts';
import { createLog } from '../runtime/log.ts';
import { createRegistry } from '../schemas/registry.ts';
import { interruption } from '../runtime/interrupt.ts';
import { command, EXIT, group, UsageError, type Context } from './command.ts';
import { parseDuration } from './duration.ts';
import { withLocalFiles } from './localFiles.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const refresh = command({
  usage: `Usage: spor marts refresh [--tenant <id>]… [options]

Refreshes the marts (marts/tenant=<id>/<name>/ in the lake) from the events since the last refresh. The query server does the same
every LAKE_MARTS_SECONDS. You can run it beside other refreshes, and interrupt it.

  --tenant <id>       may be repeated (default all)
  --watch             repeat until interrupted
  --every <duration>  with --watch: time between two refreshes (default 5m)
  --json              a line for each tenant
`,
  options: {
    tenant: { type: 'string', multiple: true },
    watch: { type: 'boolean' },
    every: { type: 'string' },
  },
  async run(values, _, context) {
    if (values.every !== undefined && !values.watch) throw new UsageError('--every needs --watch');
    const everyMs = parseDuration('--every', values.every ?? '5m');
    const tenantIds = values.tenant?.map((id) => requiredId('--tenant', id));
    await requireTenants(context, tenantIds ?? []);
    let failed = false;
    const show = (tenantId: string, reports: MartReport[]): void => {
      for (const { mart, error } of reports.filter(({ outcome }) => outcome === 'failed')) {
        failed = true;
        context.err(`spor: ${tenantId}: ${mart} could not be refreshed: ${error}\n`);
      }
      if (values.json) context.out(`${JSON.stringify({ tenantId, marts: reports })}\n`);
      else context.out(`${tenantId}\n${tableOf(reports)}`);
    };
    await withRefresher(context, async (refresher, listTenants) => {
      if (!values.watch) {
        for (const tenantId of tenantIds ?? (await listTenants())) show(tenantId, await refresher.refresh(tenantId));
        return;
      }
      const { signal, release } = interruption();
      try {
        const onTenant = (tenantId: string, outcome: MartReport[] | Error): void => {
          if (outcome instanceof Error) context.err(`spor: ${tenantId}: ${outcome.message}\n`);
          else if (outcome.some((mart) => mart.outcome !== 'current')) show(tenantId, outcome);
        };
        await refresher.keepUp({ everyMs, onTenant, ...(tenantIds ? { tenantIds } : {}) }, signal);
      } finally {
        release();
      }
    });
    return failed ? EXIT.failed : EXIT.done;
  },
});

const list = command({
  usage: 'Usage: spor marts list [--json]\n\nLists the marts; --json adds their columns.\n',
  options: {},
  run({ json }, _, context) {
    const marts = listMarts(createRegistry());
    if (json) {
      const told = marts.map(({ name, summary, row, reads, columns }) => ({ name, summary, row, reads, columns }));
      context.out(`${JSON.stringify({ marts: told })}\n`);
    } else
      context.out(
        formatTable(
          ['name', 'summary'],
          marts.map(({ name, summary }) => [name, summary]),
        ),
      );
    return Promise.resolve(EXIT.done);
  },
});

export const martsCommand = group(
  `Usage: spor marts list|refresh [options]

  list     list the marts
  refresh  update them to the newest events
`,
  { list, refresh },
);

function withRefresher(
  context: Context,
  task: (refresher: MartRefresher, listTenants: () => Promise<string[]>) => Promise<void>,
): Promise<void> {
  return withLocalFiles(context, {}, async ({ storage, localFiles, config }) => {
    const { createMartRefresher } = await import('../query/marts/martRefresher.ts');
    const { listTenants } = await import('../lake/layout/tenants.ts');
    const refresher = createMartRefresher({
      storage,
      registry: createRegistry(),
      localFiles,
      workDir: join(config.workDir, `marts-${process.pid}`),
      memoryMb: config.queryMemoryMb,
      threads: config.queryThreads,
      log: createLog('spor', 'silent'),
    });
    await task(refresher, () => listTenants(storage));
  });
}

function tableOf(reports: readonly MartReport[]): string {
  if (reports.length === 0) return 'has no events yet\n';
  const rows = reports.map(({ mart, outcome, days, rows: count, elapsedMs }) => [
    mart,
    outcome,
    days,
    count,
    elapsedMs,
  ]);
  return formatTable(['mart', 'outcome', 'days', 'rows written', 'ms'], rows);
}
