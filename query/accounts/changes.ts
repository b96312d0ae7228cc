import { wholeChanges, type ChangeRecord } from '../../schemas/change.ts';
import { deltaTable, type TableSpec } from '../../lake/delta/table.ts';
import type { TableColumn } from '../../lake/delta/schema.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { SqlRow } from '../../lake/duckdb/sqlEngine.ts';
import { withSession } from '../../lake/duckdb/withSession.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { readChangeFiles } from '../../lake/layout/changeFiles.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { overwriteSmallTable, readSmallTable, type SmallValue } from './smallTable.ts';

/** Columns of the table of changes. Their ids in files are for ever. */
export const CHANGE_COLUMNS = [
  { name: 'change_id', type: 'string', description: 'Sorts by time.' },
  { name: 'changed_at', type: 'timestamp', description: 'Begin, by the clock of who made it.' },
  { name: 'action', type: 'string', description: 'What was done, such as key.create.' },
  { name: 'changed_by', type: 'string', description: 'The token, the person, the user of a command, or the service.' },
  { name: 'tenant_id', type: 'string', description: 'The tenant, if it was one.' },
  { name: 'segment_id', type: 'string', description: 'The segment, if it was one.' },
  { name: 'about', type: 'string', description: 'What it was done to, such as a key.' },
  { name: 'before', type: 'json', description: 'The setting or record before.' },
  { name: 'after', type: 'json', description: 'The setting, record or result after.' },
  { name: 'outcome', type: 'string', description: 'done, failed, or begun: how it went is not known.' },
  { name: 'message', type: 'string', description: 'Why it failed.' },
] as const satisfies TableColumn[];

/** The table of changes, of all tenants. */
export const CHANGES_SPEC: TableSpec = {
  root: 'changes/table',
  // The log outlives files, and changes may name people.
  columns: CHANGE_COLUMNS.map((column) => (column.name === 'changed_at' ? column : { ...column, bounds: false })),
  partitionColumns: [],
};

const MEMORY = '128MiB';

/** Every change that is known. */
export interface Changes {
  /** Newest first. @throws LakeError storage_unavailable, table_corrupt */
  list(): Promise<ChangeRecord[]>;
  /**
   * Writes new changes into the table.
   * @throws LakeError storage_unavailable, table_corrupt
   */
  update(): Promise<void>;
  /** Answers SQL over the relation `audit`, for operators at the command line. @throws Error of DuckDB */
  ask(sql: string): Promise<SqlRow[]>;
  close(): Promise<void>;
}

/**
 * Creates the changes of the lake, the table, and other sources.
 * @param sources.others records of the stream server and of identities, as far as they can be read
 */
export function createChanges(sources: {
  storage: Storage;
  localFiles: LocalFiles;
  others: () => Iterable<ChangeRecord>;
}): Changes {
  const { storage, localFiles, others } = sources;
  const engine = openDuckdb({ memory: MEMORY, threads: 1, spillDir: '' });
  const table = deltaTable(storage, CHANGES_SPEC);
  const known = new Map<string, ChangeRecord>();

  const stored = async () => {
    const before = await table.snapshot();
    const select = `* EXCLUDE (changed_at), epoch_ms(changed_at) AS at_ms`;
    const rows = await readSmallTable({ localFiles, engine }, table, before, select);
    return { before, records: rows.map(recordOf) };
  };
  const all = async (inTable: readonly ChangeRecord[]): Promise<ChangeRecord[]> =>
    wholeChanges([...inTable, ...others(), ...(await readChangeFiles(storage, known))]);

  return {
    list: async () => all((await stored()).records),
    update: async () => {
      const { before, records } = await stored();
      const changes = await all(records);
      const isNew = new Set(records.map(({ id, outcome }) => `${id} ${outcome}`));
      if (changes.every(({ id, outcome }) => isNew.has(`${id} ${outcome}`))) return;
      try {
        await overwriteSmallTable({ storage, engine }, { table, before, name: 'changes' }, changes.map(valuesOf));
      } catch (error) {
        if (!(error instanceof TxnConflictError)) throw error; // another server has written them
      }
    },
    ask: (sql) =>
      withSession(engine, async (session) => {
        const columns = CHANGE_COLUMNS.map(({ name }) => name).join(', ');
        const rows = (await all((await stored()).records)).map(valuesOf);
        const types = CHANGE_COLUMNS.map(({ name, type }) =>
          type === 'timestamp' ? `${name} TIMESTAMPTZ` : `${name} ${type === 'json' ? 'JSON' : 'VARCHAR'}`,
        );
        await session.run(`CREATE TEMP TABLE audit (${types.join(', ')})`);
        const text = (value: SmallValue): string => (value === null ? 'NULL' : literal(String(value)));
        if (rows.length > 0)
          await session.run(
            `INSERT INTO audit (${columns}) VALUES ${rows.map((row) => `(${row.map(text).join(', ')})`).join(', ')}`,
          );
        return session.run(sql);
      }),
    close: () => engine.close(),
  };
}

function valuesOf(change: ChangeRecord): SmallValue[] {
  const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
  const { id, at, action, by, tenantId, segmentId, about, before, after, outcome, message } = change;
  const texts = [tenantId ?? null, segmentId ?? null, about ?? null];
  return [id, at, action, by, ...texts, json(before), json(after), outcome, message ?? null];
}

function recordOf(row: SqlRow): ChangeRecord {
  const text = (name: string): string => String(row[name]);
  const some = <Name extends string>(name: Name, column: string): Partial<Record<Name, string>> =>
    row[column] === null ? {} : ({ [name]: text(column) } as Record<Name, string>);
  const json = (name: 'before' | 'after'): object =>
    row[name] === null ? {} : { [name]: JSON.parse(text(name)) as unknown };
  return {
    id: text('change_id'),
    at: new Date(Number(row.at_ms)).toISOString(),
    action: text('action'),
    by: text('changed_by'),
    ...some('tenantId', 'tenant_id'),
    ...some('segmentId', 'segment_id'),
    ...some('about', 'about'),
    ...json('before'),
    ...json('after'),
    outcome: text('outcome') as ChangeRecord['outcome'],
    ...some('message', 'message'),
  };
}
