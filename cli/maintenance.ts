import { MAINTENANCE_SETTINGS } from '../lake/maintenance/settings.ts';
import { readConfig } from '../runtime/config.ts';
import { createLog } from '../runtime/log.ts';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { withPresent } from './clocks.ts';
import { numberOption } from './number.ts';
import { withStorage } from './storage.ts';
import { withScratch } from './scratch.ts';
import { requiredId } from './secrets.ts';
import { readEnvironment } from './settings.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';
import { HOUR_MS } from '../runtime/units.ts';

const COMPACT_USAGE = `Usage: spor compact (--tenant <id> | --all) [--json]

Merges the lake's small files into large sorted ones, writes checkpoints and cleans logs. Processors do the same by themselves.
You can run it beside running processors and readers, and interrupt it. Replaced files stay until "spor vacuum".
`;

const VACUUM_USAGE = `Usage: spor vacuum (--tenant <id> | --all) [options]

Deletes files that left their table, or never became part of it, once the grace time has passed. After that, older versions of
the table cannot be read.

  --grace-hours <n>  (default VACUUM_GRACE_HOURS, 24 if not set)
  --dry-run          only show what would be deleted
  --force            allow less than one hour: only while nothing writes to the lake or reads it
  --json
`;

const TENANTS = { tenant: { type: 'string', multiple: true }, all: { type: 'boolean' } } as const;

export const compactCommand = command({
  usage: COMPACT_USAGE,
  options: TENANTS,
  async run(values, _, context) {
    const tenantIds = tenantsOf(values);
    await requireTenants(context, tenantIds ?? []);
    const config = readConfig(MAINTENANCE_SETTINGS, readEnvironment(context).values);
    const { compactLake } = await import('../lake/maintenance/commands.ts');
    const reports = await withStorage(context, (storage) =>
      withPresent(context, storage, (present) =>
        withScratch((workDir) =>
          compactLake({
            storage,
            present,
            registry: createRegistry(),
            tenantIds,
            log: createLog('spor', 'warn'),
            workDir,
            memoryMb: config.maintenanceMemoryMb,
            threads: 2,
            logRetentionMs: config.logRetentionHours * HOUR_MS,
          }),
        ),
      ),
    );
    const rows = reports.map(({ tenantId, table, compacted, checkpointed, logFilesDeleted }) => {
      const done = compacted.filter(({ outcome }) => outcome === 'committed');
      const total = (pick: (job: (typeof done)[number]) => number): number =>
        done.reduce((sum, job) => sum + pick(job), 0);
      return [
        tenantId,
        table,
        done.length,
        total((job) => job.files),
        total((job) => job.rows),
        checkpointed,
        logFilesDeleted,
      ];
    });
    if (values.json) context.out(`${JSON.stringify(reports)}\n`);
    else
      context.out(
        formatTable(['tenant', 'table', 'jobs', 'files merged', 'rows', 'checkpoint', 'log files deleted'], rows),
      );
    const refused = reports.find(({ refused: reason }) => reason !== undefined)?.refused;
    if (refused !== undefined) throw new Error(refused);
    return reports.some(({ compacted }) => compacted.some(({ outcome }) => outcome === 'failed'))
      ? EXIT.failed
      : EXIT.done;
  },
});

export const vacuumCommand = command({
  usage: VACUUM_USAGE,
  options: {
    ...TENANTS,
    'grace-hours': { type: 'string' },
    'dry-run': { type: 'boolean' },
    force: { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantIds = tenantsOf(values);
    const given = values['grace-hours'];
    const hours =
      given === undefined ? undefined : numberOption('--grace-hours', given, { min: 0, max: 8_760, whole: false });
    await requireTenants(context, tenantIds ?? []);
    const config = readConfig(MAINTENANCE_SETTINGS, readEnvironment(context).values);
    const { vacuumLake } = await import('../lake/maintenance/commands.ts');
    const reports = await withStorage(context, (storage) =>
      withPresent(context, storage, (present) =>
        vacuumLake({
          storage,
          present,
          registry: createRegistry(),
          tenantIds,
          log: createLog('spor', 'warn'),
          graceMs: (hours ?? config.vacuumGraceHours) * HOUR_MS,
          dryRun: values['dry-run'] ?? false,
          force: values.force ?? false,
        }),
      ).catch((error: unknown) => {
        throw error instanceof RangeError ? new UsageError(error.message) : error;
      }),
    );
    if (values.json) context.out(`${JSON.stringify(reports)}\n`);
    else {
      const rows = reports.map(({ root, live, young, doomed, deletedFiles, deletedBytes }) => [
        root,
        live,
        young,
        values['dry-run'] ? doomed.length : deletedFiles,
        values['dry-run'] ? doomed.reduce((sum, { bytes }) => sum + bytes, 0) : deletedBytes,
      ]);
      const verb = values['dry-run'] ? 'would delete' : 'deleted';
      context.out(formatTable(['table', 'live files', 'within grace', verb, 'bytes'], rows));
    }
    return EXIT.done;
  },
});

function tenantsOf({ tenant, all }: { tenant?: string[]; all?: boolean }): string[] | undefined {
  if (all && tenant?.length) throw new UsageError('give either --tenant or --all');
  if (all) return undefined;
  if (!tenant?.length) throw new UsageError('name the tenant with --tenant, or use --all');
  return tenant.map((id) => requiredId('--tenant', id));
}
