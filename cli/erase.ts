import { userInfo } from 'node:os';
import { IdsMissing, namesOf } from '../lake/erasure/missing.ts';
import { martSpecs } from '../query/marts/mart.ts';
import { openTables } from '../lake/layout/openTables.ts';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { onLake } from './openLake.ts';
import { plainTextFault } from './plainText.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const HOUR_MS = 3_600_000;
const WHERE_MISSING =
  'Check the id; events that are still in the stream are found once they are in the lake ("spor status"). ' +
  '--allow-missing holds the id back from now on all the same';

export const erase = command({
  usage: `Usage: spor erase --tenant <id> (--user <id> | --anonymous <id>)... [options]

Erases a person: rows of events with that user id or anonymous id, refused events whose text names it, and rows of marts that
hold it. Afterwards the ids are held back for good, whatever arrives late, is still in the stream, is redriven or replayed.
Safe beside running processors, to interrupt, and to repeat. Older versions of the tables, and the files behind them, are gone
after the vacuum that follows VACUUM_GRACE_HOURS. A report without the ids is kept in the lake.

  --user <id>       as the events' userId; may be repeated
  --anonymous <id>  as the events' anonymousId; may be repeated
  --linked          also what the anonymous ids did without a user id that are linked to the user by events with consent
  --allow-missing   also ids of which the lake has nothing yet: they are only held back
  --exact           ids as they are, also with blanks around them or characters that are not seen
  --by <name>       who signs for it (default: you)
  --dry-run         only say what would be erased
  --json

Exit code 1, and nothing is changed, where the lake has no row of one of the ids and it was not erased before.
`,
  options: {
    tenant: { type: 'string' },
    user: { type: 'string', multiple: true, verbatim: true },
    anonymous: { type: 'string', multiple: true, verbatim: true },
    linked: { type: 'boolean' },
    'allow-missing': { type: 'boolean' },
    exact: { type: 'boolean' },
    by: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const { user: users = [], anonymous = [], 'dry-run': dryRun = false } = values;
    if (users.length + anonymous.length === 0) throw new UsageError('say who with --user or --anonymous');
    if ([...users, ...anonymous].includes('')) throw new UsageError('an id must not be empty');
    if (!values.exact) {
      for (const id of users) checkId('--user', id);
      for (const id of anonymous) checkId('--anonymous', id);
    }
    if (values.linked && users.length === 0) throw new UsageError('--linked goes with --user');
    await requireTenants(context, [tenantId]);
    const registry = createRegistry();
    const { erase: eraseFromLake } = await import('../lake/erasure/erase.ts');
    const { report, path, linked, missing } = await onLake(context, ({ storage, config, workDir }) =>
      eraseFromLake({
        storage,
        tables: openTables(storage, registry),
        tenantId,
        derived: martSpecs(registry, tenantId),
        users,
        anonymous,
        withLinked: values.linked ?? false,
        dryRun,
        refuseMissing: !values['allow-missing'],
        by: values.by ?? userInfo().username,
        workDir,
        memoryMb: config.maintenanceMemoryMb,
        vacuumGraceMs: config.vacuumGraceHours * HOUR_MS,
      }).catch((error: unknown) => {
        throw error instanceof IdsMissing
          ? new Error(`${error.message}: nothing was changed. ${WHERE_MISSING}`)
          : error;
      }),
    );
    if (missing.length > 0)
      context.err(`spor: no row and no erasure of ${namesOf(missing)}: it would not be erased. ${WHERE_MISSING}\n`);
    const code = missing.length > 0 ? EXIT.failed : EXIT.done;
    if (values.json) {
      context.out(`${JSON.stringify({ ...report, linkedIds: linked, report: path ?? null })}\n`);
      return code;
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
    return code;
  },
});

/** @throws UsageError naming a character that the events hardly have in the id. */
function checkId(option: string, id: string): void {
  const fault = plainTextFault(option, id);
  if (fault !== undefined) throw new UsageError(`${fault}, or say --exact where the events have it too`);
}
