import { resolve } from 'node:path';
import { createRegistry } from '../schemas/registry.ts';
import { changeStream } from './changing.ts';
import { command, EXIT } from './command.ts';
import { withLocalFiles } from './localFiles.ts';
import { formatTable } from './table.ts';

const USAGE = `Usage: spor restore <dir> [--json]

Puts a backup of "spor backup" into an empty stream server: keys, tokens, schemas, and the messages that the lake of LAKE_URL lacks.
Put the lake in place first, and start the services afterwards. You can interrupt it: the same command continues.

Events that were acknowledged after the backup and are not in the lake are lost. Completeness is unknown until
"spor stream accept-loss".
`;

const MEMORY = '512MiB';

export const restoreCommand = command({
  usage: USAGE,
  options: {},
  positionals: ['dir'],
  async run({ json }, [folder], context) {
    const { readBackup } = await import('./backup/format.ts');
    const { restoreBackup } = await import('./backup/restore.ts');
    const { LakeParts } = await import('./carryOver/lakeParts.ts');
    const { openDuckdb } = await import('../lake/duckdb/duckdb.ts');
    const { createTableCache } = await import('../lake/layout/tableCache.ts');
    const dir = resolve(context.cwd, folder!);
    const manifest = await readBackup(dir);
    const report = await withLocalFiles(context, {}, ({ storage, localFiles }) =>
      changeStream(context, { action: 'stream.restore', about: dir }, async (connection, { replicas }, note) => {
        const engine = openDuckdb({ memory: MEMORY, threads: 1, spillDir: '' });
        const tables = createTableCache(storage, createRegistry());
        const lakeParts = (appId: string) => new LakeParts(tables, { localFiles, engine }, appId);
        try {
          const restored = await restoreBackup({ connection, replicas, dir, manifest, lakeParts });
          note({ after: { backup: manifest.id, ...restored } });
          return restored;
        } finally {
          await engine.close();
        }
      }),
    );
    if (json) context.out(`${JSON.stringify({ dir, createdAt: manifest.createdAt, ...report })}\n`);
    else if (report.streams.length === 0) context.out('This backup was restored before; nothing was changed.\n');
    else {
      const rows = report.streams.map(({ name, messages, restored }) => [name, messages, restored]);
      context.out(`${report.secrets} keys and tokens\n\n${formatTable(['stream', 'in the backup', 'restored'], rows)}`);
    }
    return EXIT.done;
  },
});
