import { userInfo } from 'node:os';
import { IdsMissingError, namesOf } from '../lake/erasure/missing.ts';
import { MAINTENANCE_SETTINGS } from '../lake/maintenance/settings.ts';
import { martSpecs } from '../query/marts/mart.ts';
import { sharesIds } from '../lake/layout/sharedIds.ts';
import { createTableCache } from '../lake/layout/tableCache.ts';
import { readConfig } from '../runtime/config.ts';
import { createRegistry } from '../schemas/registry.ts';
import { changeLake } from './changing.ts';
import { command, EXIT, UsageError } from './command.ts';
import { shownLine } from '../runtime/plainText.ts';
import { plainTextFault } from './plainText.ts';
import { withScratch } from './scratch.ts';
import { requiredId } from './secrets.ts';
import { readEnvironment } from './settings.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';
import { HOUR_MS } from '../runtime/units.ts';

const EVERY_SEGMENT =
  'the ids are erased in every segment, where each may be of another person; --segment <id> erases in one';
const WHERE_MISSING =
  'Check the id; events that are still in the stream are found once they are in the lake ("spor status"). ' +
  '--allow-missing holds the id back from now on all the same';

export const eraseCommand = command({
  usage: `Usage: spor erase --tenant <id> [--segment <id>]... (--user <id> | --anonymous <id>)... [options]

Erases a person: rows of events with that user id or anonymous id, rejected events whose text names it, and rows of marts that
hold it. Spor then drops events of these ids permanently, if they arrive late, are still in the stream, are redriven or replayed.
You can run it beside running processors, interrupt it, and repeat it. The vacuum after VACUUM_GRACE_HOURS removes older versions
of the tables and their files. The lake keeps a report without the ids.

  --user <id>       userId of the events; may be repeated
  --anonymous <id>  anonymousId of the events; may be repeated
  --segment <id>    only where the ids are of this segment; may be repeated (default: all segments of the tenant)
  --linked          also events without a user id under anonymous ids linked to the user by events with consent
  --allow-missing   also ids without a row in the lake: later events with them are held back
  --exact           take ids as they are, with blanks around them or invisible characters
  --by <name>       who signs for it (default: you)
  --dry-run         only show what would be erased
  --json

Exit code 1, and nothing is changed, where the lake has no row of one of the ids and it was not erased before.
`,
  options: {
    tenant: { type: 'string' },
    user: { type: 'string', multiple: true, verbatim: true },
    anonymous: { type: 'string', multiple: true, verbatim: true },
    segment: { type: 'string', multiple: true },
    linked: { type: 'boolean' },
    'allow-missing': { type: 'boolean' },
    exact: { type: 'boolean' },
    by: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const { user: users = [], anonymous = [], 'dry-run': dryRun = false } = values;
    if (users.length + anonymous.length === 0) throw new UsageError('name the person with --user or --anonymous');
    if ([...users, ...anonymous].includes('')) throw new UsageError('an id must not be empty');
    if (!values.exact) {
      for (const id of users) checkId('--user', id);
      for (const id of anonymous) checkId('--anonymous', id);
    }
    if (values.linked && users.length === 0) throw new UsageError('--linked goes with --user');
    const segments = values.segment?.map((id) => requiredId('--segment', id));
    await requireTenants(context, [tenantId]);
    const config = readConfig(MAINTENANCE_SETTINGS, readEnvironment(context).values);
    const registry = createRegistry();
    const { erase: eraseFromLake } = await import('../lake/erasure/erase.ts');
    // The ids of the person stay out of the record, as they stay out of the report.
    const facts = {
      ids: users.length + anonymous.length,
      ...(segments ? { segments } : {}),
      linked: values.linked ?? false,
      signedBy: values.by ?? null,
    };
    const change = dryRun ? undefined : { action: 'person.erase', tenantId, about: JSON.stringify(facts) };
    const { report, path, linked, missing } = await changeLake(context, change, async (storage, note) => {
      const tables = createTableCache(storage, registry);
      const snapshot = await tables('events', tenantId).snapshot();
      const shared = sharesIds(snapshot);
      const known = new Set([...snapshot.files.values()].map(({ partitionValues }) => partitionValues.segment));
      if (shared && segments) throw new UsageError(`the segments of ${tenantId} share their ids: leave --segment out`);
      if (!shared && !segments && known.size > 1) context.err(`spor: ${EVERY_SEGMENT}\n`);
      const erased = await withScratch((workDir) =>
        eraseFromLake({
          storage,
          tables,
          tenantId,
          derived: martSpecs(registry, tenantId),
          users,
          anonymous,
          segments,
          withLinked: values.linked ?? false,
          dryRun,
          refuseMissing: !values['allow-missing'],
          by: values.by ?? userInfo().username,
          workDir,
          memoryMb: config.maintenanceMemoryMb,
          vacuumGraceMs: config.vacuumGraceHours * HOUR_MS,
        }).catch((error: unknown) => {
          throw error instanceof IdsMissingError
            ? new Error(`${error.message}: nothing was changed. ${WHERE_MISSING}`)
            : error;
        }),
      );
      note({
        after: {
          report: erased.path ?? null,
          rows: erased.report.tables.map(({ root, erased: rows }) => [root, rows]),
        },
      });
      return erased;
    });
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
      const what = report.linked.erased ? 'erased with the person' : 'not erased; --linked erases them';
      context.out(
        `\nanonymous ids linked to the user (${what}):\n${linked.map((id) => `  ${shownLine(id)}\n`).join('')}`,
      );
    }
    if (path !== undefined)
      context.out(`\nreport: ${path}; the first vacuum after ${report.vacuumAfter} deletes the files\n`);
    return code;
  },
});

/** Check an id for characters of copied text. @throws UsageError naming the character */
function checkId(option: string, id: string): void {
  const fault = plainTextFault(option, id);
  if (fault !== undefined) throw new UsageError(`${fault}, or say --exact where the events have it too`);
}
