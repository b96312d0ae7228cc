import { INGEST_SETTINGS } from '../ingest/config.ts';
import { DEDUPE_HOURS, LAKE_SETTINGS } from '../lake/config.ts';
import { QUERY_SERVER_SETTINGS } from '../query/config.ts';
import { resolve } from 'node:path';
import { command, EXIT, type Context } from './command.ts';
import { readEnvironment } from './settings.ts';
import { withStream } from './stream.ts';
import { formatTable } from './table.ts';
import { sporVersion } from './version.ts';

const USAGE = `Usage: spor backup <dir> [--all] [--json]

Writes what only the stream server holds into a new folder: the uncommitted messages of each stream, keys and tokens as SHA-256, the
event schemas in use, and the settings of the environment without credentials. Run it before the copy of the lake, so that the copy
has what the backup counts as committed. "spor restore" puts it back.

  --all   also committed messages, as far as the streams hold them: for a lake that may be older than the backup
  --json
`;

export const backupCommand = command({
  usage: USAGE,
  options: { all: { type: 'boolean' } },
  positionals: ['dir'],
  async run({ json, all = false }, [folder], context) {
    const { writeBackup } = await import('./backup/write.ts');
    const dir = resolve(context.cwd, folder!);
    const { streams, id, createdAt } = await withStream(context, (connection, { replicas }) =>
      writeBackup({ connection, replicas, dir, all, settings: settingsOf(context), spor: sporVersion() }),
    );
    if (json) context.out(`${JSON.stringify({ dir, id, createdAt, streams })}\n`);
    else {
      const rows = streams.map(({ name, committed, lastSequence, messages }) => [
        name,
        committed,
        lastSequence,
        messages,
      ]);
      context.out(`${dir}\n\n${formatTable(['stream', 'committed', 'last', 'messages'], rows)}`);
    }
    return EXIT.done;
  },
});

/** Settings that hold credentials, or may. */
const CREDENTIALS = /SECRET|PASSWORD|TOKEN|CREDENTIAL|CREDS|NKEY|ACCESS_KEY|URL/;

/** Values of the environment for known settings, without credentials. */
function settingsOf(context: Context): Record<string, string> {
  const { values } = readEnvironment(context);
  const known = [INGEST_SETTINGS, QUERY_SERVER_SETTINGS, LAKE_SETTINGS, { DEDUPE_HOURS }].flatMap((settings) =>
    Object.values(settings).map(({ name }) => name),
  );
  const names = [...new Set([...known, 'STREAM_KEEP_HOURS', 'LEASE_SECONDS'])].filter(
    (name) => !CREDENTIALS.test(name),
  );
  return Object.fromEntries(names.flatMap((name) => (values[name] ? [[name, values[name]]] : [])));
}
