import { listChanges, type ListedChanges } from '../lake/delta/changeList.ts';
import { LakeError } from '../lake/errors.ts';
import { createTableCache } from '../lake/layout/tableCache.ts';
import { createReadableTables } from '../query/marts/readable.ts';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { withStorage } from './storage.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor changes --tenant <id> [--since <version>] [options]

Lists the files added to a table (+) and removed from it (-) since a version, in order, for services that read the lake's files.
Store the version on the last line, and pass it as --since the next time. Compactions are not listed, because they change no
rows. Vacuum deletes the files of old versions. A service that pauses for longer begins again without --since, which lists all
files.

  --tenant <id>
  --since <version>  the version you have; --since=-1 is before the first
  --table <name>     events (default), quarantine, or a mart: see "spor marts list"
  --json             everything in one line of JSON
`;

export const changesCommand = command({
  usage: USAGE,
  options: { tenant: { type: 'string' }, since: { type: 'string' }, table: { type: 'string' } },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const since = values.since === undefined ? undefined : versionOf(values.since);
    await requireTenants(context, [tenantId]);
    const listed = await withStorage(context, async (storage) => {
      try {
        const registry = createRegistry();
        const lake = { storage, registry, tables: createTableCache(storage, registry) };
        const table = createReadableTables(lake)(values.table ?? 'events', { tenantId, segmentIds: [] });
        return await listChanges(storage, table, { since, segmentIds: [] });
      } catch (error) {
        if (error instanceof LakeError && error.code === 'changes_unknown') throw new UsageError(error.message);
        throw error;
      }
    });
    if (values.json) context.out(`${JSON.stringify(listed)}\n`);
    else {
      context.out(lines(listed));
      context.err(`version ${listed.version}${listed.more ? ', and there is more: ask again' : ''}\n`);
    }
    return EXIT.done;
  },
});

function lines({ url, commits }: ListedChanges): string {
  return commits
    .flatMap(({ version, added, removed }) => [
      ...removed.map(({ path }) => `${version}\t-\t${url}/${path}\n`),
      ...added.map(({ path }) => `${version}\t+\t${url}/${path}\n`),
    ])
    .join('');
}

function versionOf(text: string): number {
  if (/^(-1|\d{1,15})$/.test(text)) return Number(text);
  throw new UsageError(`--since ${text} is not a version: use the number on the last line of "spor changes"`);
}
