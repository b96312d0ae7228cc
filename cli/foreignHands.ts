import { createRegistry } from '../schemas/registry.ts';
import { historyEntry, readRawEntries, type HistoryEntry } from '../lake/delta/history.ts';
import { restoreTable } from '../lake/delta/restore.ts';
import { deltaTable } from '../lake/delta/table.ts';
import { LakeError } from '../lake/errors.ts';
import { TABLE_NAMES, tableSpec } from '../lake/layout/tables.ts';
import type { Storage } from '../lake/storage/storage.ts';
import type { TableSpec } from '../lake/delta/table.ts';
import { listMarts, martSpec } from '../query/marts/mart.ts';
import { changeLake } from './changing.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { withStorage } from './storage.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const NEWEST = 50;

const history = command({
  usage: `Usage: spor table history --tenant <id> [options]

Lists the commits of a table, newest first: when, by whom, and what they did. Commits of other tools are marked. The last line says
whether this Spor can write the table. If not, the tenant is parked: its events wait in the stream, and other tenants go on.

  --tenant <id>
  --table events|quarantine|<mart>  (default events)
  --limit <n>                       (default ${NEWEST})
  --foreign                         only commits of other tools

Exit code 1 if the table cannot be written.
`,
  options: {
    tenant: { type: 'string' },
    table: { type: 'string' },
    limit: { type: 'string' },
    foreign: { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const limit = values.limit === undefined ? NEWEST : numberOption('--limit', values.limit, { min: 1, max: 1e6 });
    const spec = specOf(values.table ?? 'events', tenantId);
    await requireTenants(context, [tenantId]);
    const { commits, fault } = await withStorage(context, async (storage) => ({
      commits: (await readRawEntries(storage, spec.root)).map(historyEntry),
      fault: await faultOf(storage, spec),
    }));
    const shown = commits.filter(({ isForeign }) => isForeign || !values.foreign).slice(-limit);
    if (values.json) context.out(`${JSON.stringify({ tenantId, table: spec.root, fault, commits: shown })}\n`);
    else {
      context.out(formatTable(COLUMNS, shown.toReversed().map(rowOf)));
      context.out(`\n${fault === null ? 'This Spor can write the table.' : `${fault.code}: ${fault.message}`}\n`);
      const before = fault === null ? undefined : lastGood(commits);
      if (before !== undefined) context.out(`Undo: npx spor table restore --tenant ${tenantId} --version ${before}\n`);
    }
    return fault === null ? EXIT.done : EXIT.failed;
  },
});

const restore = command({
  usage: `Usage: spor table restore --tenant <id> --version <n> [options]

Undoes what other tools did to a table after a version, in one commit. Commits of Spor after that version stay. So do the positions
in the stream, and nothing is lost or doubled. A parked tenant goes on within minutes, and its waiting events come into the lake.

Files that another tool removed come back if they are still in the store. They do not after an erasure ("spor erase"), because they
may hold the person's data. "spor table history" lists the versions.

  --tenant <id>
  --table events|quarantine|<mart>  (default events)
  --version <n>                     the last version that is right
  --dry-run                         only say what would be undone
`,
  options: {
    tenant: { type: 'string' },
    table: { type: 'string' },
    version: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    if (values.version === undefined) throw new UsageError('--version is missing: "spor table history" lists versions');
    const version = numberOption('--version', values.version, { min: 0, max: Number.MAX_SAFE_INTEGER });
    const { root } = specOf(values.table ?? 'events', tenantId);
    const dryRun = values['dry-run'] ?? false;
    await requireTenants(context, [tenantId]);
    const change = dryRun ? undefined : { action: 'table.restore', tenantId, about: root, before: { version } };
    const restored = await changeLake(context, change, async (storage, note) => {
      const done = await restoreTable(storage, root, { version, dryRun });
      note({ after: { commitsUndone: done.undone.length, filesReturned: done.returned, version: done.version } });
      return done;
    });
    if (values.json) context.out(`${JSON.stringify({ tenantId, table: root, dryRun, ...restored })}\n`);
    else {
      const { undone, returned } = restored;
      if (undone.length > 0) context.out(`${formatTable(COLUMNS, undone.map(rowOf))}\n`);
      const what = `${undone.length} commits of other tools ${dryRun ? 'would be' : 'are'} undone`;
      context.out(`${what}, ${returned} files come back. The table is at version ${restored.version}.\n`);
    }
    return EXIT.done;
  },
});

export const tableCommand = group(
  `Usage: spor table history|restore --tenant <id> [options]

Read the lake with any tool, and write it with Spor alone. These commands show what other tools wrote, and undo it.
`,
  { history, restore },
);

const COLUMNS = [
  'version',
  'at',
  'by',
  'foreign',
  'operation',
  'added',
  'removed',
  'rows added',
  'rows changed',
  'protocol',
];

function rowOf(entry: HistoryEntry): (string | number | undefined)[] {
  const { version, at, by, isForeign, operation, addedFiles, removedFiles, addedRows, dataChange, protocol } = entry;
  const changed = addedFiles + removedFiles === 0 ? '' : dataChange ? 'yes' : 'no';
  return [version, at, by, isForeign ? 'yes' : '', operation, addedFiles, removedFiles, addedRows, changed, protocol];
}

/** The last version before another tool asked for a protocol that is not ours. */
function lastGood(commits: readonly HistoryEntry[]): number | undefined {
  const first = commits.find(({ isForeign, protocol }) => isForeign && protocol !== undefined && protocol !== '1/2');
  return first && first.version > 0 ? first.version - 1 : undefined;
}

/** Why this Spor cannot write the table; null if it can. */
async function faultOf(storage: Storage, spec: TableSpec): Promise<{ code: string; message: string } | null> {
  try {
    const table = deltaTable(storage, spec);
    table.mustBeWritable(await table.snapshot());
    return null;
  } catch (error) {
    if (!(error instanceof LakeError) || error.code === 'storage_unavailable') throw error;
    return { code: error.code, message: error.message };
  }
}

/** @throws UsageError for an unknown table */
function specOf(name: string, tenantId: string): TableSpec {
  const registry = createRegistry();
  const table = TABLE_NAMES.find((known) => known === name);
  if (table) return tableSpec(table, tenantId, registry);
  const marts = listMarts(registry);
  const mart = marts.find((known) => known.name === name);
  if (mart) return martSpec(mart, tenantId);
  throw new UsageError(`--table ${name} is not one of ${[...TABLE_NAMES, ...marts.map((of) => of.name)].join(', ')}`);
}
