import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createRegistry } from '../schemas/registry.ts';
import { command, EXIT, UsageError } from './command.ts';
import { dateRange } from './date.ts';
import { withStorage } from './storage.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';
import { writeWhole } from './wholeFile.ts';

const USAGE = `Usage: spor attach <file> --tenant <id> [options]

Writes a DuckDB database (*.duckdb) for the duckdb command line and notebooks. It holds the tenant's events, all views and
macros, and the marts. For a lake in S3, write a script (*.sql) that creates the same; it needs DuckDB's httpfs:

  spor attach shop.duckdb --tenant shop && duckdb shop.duckdb "from search_outcomes limit 5"
  spor attach shop.sql --tenant shop && duckdb -init shop.sql

The views read the files of one version in place. Nothing is copied, and later events do not appear. Attach the same file again
to update it; your own tables in it stay. Do so before VACUUM_GRACE_HOURS are over.

  --tenant <id>
  --segment <id>       only this segment; may be repeated
  --from, --to <date>  only these UTC dates, YYYY-MM-DD, both included
  --json               the result as JSON
`;

export const attachCommand = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string', multiple: true },
    from: { type: 'string' },
    to: { type: 'string' },
  },
  positionals: ['file'],
  async run(values, [file = ''], context) {
    const kind = /\.(duckdb|db|sql)$/.exec(file)?.[1];
    if (kind === undefined) throw new UsageError(`${file} must end in .duckdb (a database) or .sql (a script)`);
    const tenantId = requiredId('--tenant', values.tenant);
    const scope = {
      tenantId,
      segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
      ...dateRange(values),
    };
    await requireTenants(context, [tenantId]);
    const path = resolve(context.cwd, file);
    const written = await withStorage(context, async (storage) => {
      if (kind !== 'sql' && storage.localPath('x') === undefined) {
        throw new UsageError(
          `the lake is in S3, where only a DuckDB with httpfs can create a database: write ${file.replace(/\.\w+$/, '.sql')} ` +
            'and see "In your own DuckDB" in docs/data-scientist.md',
        );
      }
      const { attachment } = await import('../query/attach/statements.ts');
      const { statements, version, files } = await attachment(storage, createRegistry(), scope);
      await mkdir(dirname(path), { recursive: true });
      if (kind === 'sql')
        await writeWhole(
          path,
          statements.map((statement) => `${statement};\n\n`),
        );
      else await (await import('../query/attach/database.ts')).writeDatabase(path, statements);
      return { file: path, tenantId, version, files };
    });
    if (values.json) context.out(`${JSON.stringify(written)}\n`);
    else context.out(`${file}: ${tenantId} as of version ${written.version}, ${written.files} files\n`);
    if (written.version < 0) context.err(`spor: tenant ${tenantId} has no events yet\n`);
    return EXIT.done;
  },
});
