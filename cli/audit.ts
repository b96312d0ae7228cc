import { readFile } from 'node:fs/promises';
import type { ChangeRecord } from '../schemas/change.ts';
import { readConfig } from '../runtime/config.ts';
import { CHANGES_BUCKET } from '../stream/buckets.ts';
import { openSecretStore } from '../stream/secretStore.ts';
import { folderFile } from './changing.ts';
import { command, EXIT, UnavailableError, UsageError, type Context } from './command.ts';
import { parseDuration } from './duration.ts';
import { withLocalFiles } from './localFiles.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { ACCESS_SETTINGS, readEnvironment } from './settings.ts';
import { withStream } from './stream.ts';
import { formatTable } from './table.ts';

const USAGE = `Usage: spor audit [--tenant <id>] [--action <text>] [--since <duration>] [--limit <n>] [--json]
       spor audit --sql <statement> [--json]

Lists changes, newest first: keys, tokens, identities, quotas, settings, schemas, erasures, retention, replays, redrives and
repairs of streams and tables. A change is on disk before it is answered. "begun" means that its process ended before it could
say how it went. Records hold no secrets and no ids of persons.

It reads the lake, the stream server, and the folder of identities (ACCESS_DIR) if that is set.

  --action <text>     begin of the action, such as key or key.create
  --since <duration>  such as 30d
  --limit <n>         (default 100)
  --sql <statement>   SQL of DuckDB over the relation "audit"

  spor audit --sql "select action, changed_by, count(*) from audit group by all order by 3 desc"
`;

export const auditCommand = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    action: { type: 'string' },
    since: { type: 'string' },
    limit: { type: 'string' },
    sql: { type: 'string', verbatim: true },
  },
  async run(values, _, context) {
    const { tenant, action = '', since, sql } = values;
    if (sql !== undefined && (tenant ?? values.action ?? since ?? values.limit) !== undefined)
      throw new UsageError('--sql goes with no other choice: write it into the statement');
    const tenantId = tenant === undefined ? undefined : requiredId('--tenant', tenant);
    const sinceMs = since === undefined ? 0 : context.now() - parseDuration('--since', since);
    const limit = values.limit === undefined ? 100 : numberOption('--limit', values.limit, { min: 1, max: 1_000_000 });
    const others = [...(await inStream(context)), ...(await inFolder(context))];
    return withLocalFiles(context, {}, async ({ storage, localFiles }) => {
      const { createChanges } = await import('../query/accounts/changes.ts');
      const changes = createChanges({ storage, localFiles, others: () => others });
      try {
        if (sql !== undefined) print(context, await changes.ask(sql), values.json);
        else {
          const chosen = (await changes.list()).filter(
            (change) =>
              (tenantId === undefined || change.tenantId === tenantId) &&
              change.action.startsWith(action) &&
              Date.parse(change.at) >= sinceMs,
          );
          const shown = chosen.slice(0, limit);
          if (values.json) context.out(`${JSON.stringify({ changes: shown })}\n`);
          else if (shown.length === 0) context.out('There is no such change.\n');
          else context.out(formatTable(HEADINGS, shown.map(cells)));
          if (chosen.length > limit) context.err(`spor: ${chosen.length - limit} more; set --limit\n`);
        }
        return EXIT.done;
      } finally {
        await changes.close();
      }
    });
  },
});

const HEADINGS = ['at', 'action', 'by', 'tenant', 'about', 'outcome', 'before', 'after'];

function cells({ at, action, by, tenantId, about, outcome, message, before, after }: ChangeRecord): unknown[] {
  const how = message === undefined ? outcome : `${outcome}: ${message}`;
  return [at, action, by, tenantId, about, how, before, after].map((cell) => cell ?? '');
}

function print({ out }: Context, rows: Record<string, unknown>[], json: boolean | undefined): void {
  if (json) return out(`${JSON.stringify({ rows })}\n`);
  if (rows.length === 0) return out('No rows.\n');
  const names = Object.keys(rows[0]!);
  out(
    formatTable(
      names,
      rows.map((row) => names.map((name) => row[name])),
    ),
  );
}

/** Records of the stream server. Without NATS_URL and a server the lake alone is asked. */
async function inStream(context: Context): Promise<ChangeRecord[]> {
  try {
    return await withStream(context, async (connection, { replicas }) => {
      const store = await openSecretStore<ChangeRecord>(connection, CHANGES_BUCKET, replicas);
      return (await store.list()).map(({ record }) => record);
    });
  } catch (error) {
    if (!(error instanceof UnavailableError) || readEnvironment(context).values.NATS_URL) throw error;
    context.err('spor: no stream server answers, so only changes of the lake are listed\n');
    return [];
  }
}

async function inFolder(context: Context): Promise<ChangeRecord[]> {
  const { accessDir } = readConfig(ACCESS_SETTINGS, readEnvironment(context).values);
  if (accessDir === '') return [];
  const text = await readFile(folderFile(accessDir), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}')) // a killed command may have left half a line
    .map((line) => JSON.parse(line) as ChangeRecord);
}
