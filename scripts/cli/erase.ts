import { userInfo } from 'node:os';
import { martSpecs } from '../../lake/marts/mart.ts';
import { openTables } from '../../lake/openTables.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { onLake } from './openLake.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';

const HOUR_MS = 3_600_000;

export const erase = command({
  usage: `Usage: spor erase --tenant <id> (--user <id> | --anonymous <id>)... [options]

Erases a person: rows of events with that user id or anonymous id, refused events whose text names it, and rows of marts that
hold it. Afterwards the ids are held back for good, whatever arrives late, is still in the stream, is redriven or replayed.
Safe beside running processors, to interrupt, and to repeat. Older versions of the tables, and the files behind them, are gone
after the vacuum that follows VACUUM_GRACE_HOURS. A report without the ids is kept in the lake.

  --user <id>       as the events' userId; may be repeated
  --anonymous <id>  as the events' anonymousId; may be repeated
  --linked          also what the anonymous ids did without a user id that are linked to the user by events with consent
  --by <name>       who signs for it (default: you)
  --dry-run         only say what would be erased
  --json
`,
  options: {
    tenant: { type: 'string' },
    user: { type: 'string', multiple: true },
    anonymous: { type: 'string', multiple: true },
    linked: { type: 'boolean' },
    by: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const { user: users = [], anonymous = [], 'dry-run': dryRun = false } = values;
    if (users.length + anonymous.length === 0) throw new UsageError('say who with --user or --anonymous');
    if ([...users, ...anonymous].some((id) => id.trim() === '')) throw new UsageError('an id must not be empty');
    const registry = createRegistry();
    const { erase: eraseFromLake } = await import('../../lake/erasure/erase.ts');
    const { report, path, linked } = await onLake(context, ({ storage, config, workDir }) =>
      eraseFromLake({
        storage,
        tables: openTables(storage, registry),
        tenantId,
        derived: martSpecs(registry, tenantId),
        users,
        anonymous,
        withLinked: values.linked ?? false,
        dryRun,
        by: values.by ?? userInfo().username,
        workDir,
        memoryMb: config.maintenanceMemoryMb,
        vacuumGraceMs: config.vacuumGraceHours * HOUR_MS,
      }),
    );
    if (values.json) {
      context.out(`${JSON.stringify({ ...report, linkedIds: linked, report: path ?? null })}\n`);
      return EXIT.done;
    }
    const rows = report.tables.map(({ root, erased, files, verified }) => [root, erased, files, verified.version]);
    context.out(
      formatTable(
        ['table', dryRun ? 'would erase' : 'erased', 'files', dryRun ? 'at version' : 'clean at version'],
        rows,
      ),
    );
    if (linked.length > 0) {
      const what = report.linked.erased ? 'erased with the person' : 'not erased, say --linked to do so';
      context.out(`\nanonymous ids linked to the user (${what}):\n${linked.map((id) => `  ${id}\n`).join('')}`);
    }
    if (path !== undefined)
      context.out(`\nreport: ${path}; files are gone after the vacuum that follows ${report.vacuumAfter}\n`);
    return EXIT.done;
  },
});
