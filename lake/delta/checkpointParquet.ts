import type { SqlEngine, SqlSession } from '../duckdb/sqlEngine.ts';
import { identifier, literal } from '../duckdb/sqlText.ts';
import type { CheckpointContents, CheckpointFormat, CheckpointJob } from './checkpoint.ts';

const TEXTS = 'MAP(VARCHAR, VARCHAR)';

/** Columns of a checkpoint of reader 1 and writer 2 (Delta protocol, "Checkpoint Schema"). */
const COLUMNS: Record<string, Record<string, string>> = {
  protocol: { minReaderVersion: 'INTEGER', minWriterVersion: 'INTEGER' },
  metaData: {
    id: 'VARCHAR',
    name: 'VARCHAR',
    description: 'VARCHAR',
    format: `STRUCT(provider VARCHAR, options ${TEXTS})`,
    schemaString: 'VARCHAR',
    partitionColumns: 'VARCHAR[]',
    configuration: TEXTS,
    createdTime: 'BIGINT',
  },
  txn: { appId: 'VARCHAR', version: 'BIGINT', lastUpdated: 'BIGINT' },
  add: {
    path: 'VARCHAR',
    partitionValues: TEXTS,
    size: 'BIGINT',
    modificationTime: 'BIGINT',
    dataChange: 'BOOLEAN',
    stats: 'VARCHAR',
    tags: TEXTS,
  },
  remove: {
    path: 'VARCHAR',
    deletionTimestamp: 'BIGINT',
    dataChange: 'BOOLEAN',
    extendedFileMetadata: 'BOOLEAN',
    partitionValues: TEXTS,
    size: 'BIGINT',
  },
};

const MEMORY = '512MiB';

/** Checkpoints as Parquet by DuckDB, with an engine or one for each call. */
export function duckdbCheckpoints(engine?: SqlEngine): CheckpointFormat {
  const withSession = async <T>(task: (session: SqlSession) => Promise<T>): Promise<T> => {
    const own = engine ? undefined : await openOwn();
    const session = (engine ?? own!).session();
    try {
      return await task(session);
    } finally {
      await session.close();
      await own?.close();
    }
  };
  return {
    write: (job) => withSession((session) => write(session, job)),
    readState: (file) => withSession((session) => readState(session, file)),
    readTombstones: (file) =>
      withSession(async (session) => {
        const rows = await session.run(
          `SELECT ${json('remove')} AS remove FROM ${checkpoint(file)} WHERE remove IS NOT NULL`,
        );
        return rows.map(({ remove }) => ({ remove: JSON.parse(String(remove)) }));
      }),
  };
}

/** Load DuckDB on use: a process with an engine elsewhere does not need it. */
async function openOwn() {
  const { openDuckdb } = await import('../duckdb/duckdb.ts');
  return openDuckdb({ memory: MEMORY, threads: 1, spillDir: '' });
}

/** Snappy, which every Delta reader supports. */
async function write(session: SqlSession, job: CheckpointJob): Promise<CheckpointContents> {
  const { actionsFile, longestLine, pathsFile, previous, keepTombstonesSince, now, target } = job;
  const removedAt = 'remove.deletionTimestamp';
  const clamped = `CASE WHEN ${removedAt} > ${now} THEN ${now} ELSE ${removedAt} END`;
  const names = Object.keys(COLUMNS);
  const columns = names.map((name) => `${literal(name)}: ${literal(structType(name))}`).join(', ');
  const lines = `format = 'newline_delimited', compression = 'uncompressed', maximum_object_size = ${Math.max(longestLine + 1_024, 1_048_576)}`;
  const state = `SELECT ${names.map(identifier).join(', ')} FROM read_json(${literal(actionsFile)}, ${lines}, columns = {${columns}})`;
  const paths = `SELECT path FROM read_json(${literal(pathsFile)}, ${lines}, columns = {path: 'VARCHAR'})`;
  const kept =
    previous === undefined
      ? ''
      : `UNION ALL BY NAME SELECT ${pack('remove', [], { deletionTimestamp: clamped })} AS remove FROM ${checkpoint(previous)}
         WHERE remove IS NOT NULL AND coalesce(remove.deletionTimestamp, 0) >= ${Math.floor(keepTombstonesSince)}
           AND remove.path NOT IN (${paths})`;
  await session.run(
    `COPY (${state} ${kept}) TO ${literal(target)} (FORMAT parquet, PARQUET_VERSION v1, COMPRESSION snappy)`,
  );
  const [row = {}] = await session.run(`
    SELECT count(protocol) AS protocols, count("metaData") AS "metaDatas", count(txn) AS txns, count("add") AS adds,
           coalesce(sum("add".size), 0) AS "addBytes", count(remove) AS removes
    FROM read_parquet(${literal(target)})`);
  const counted = Object.entries(row).map(([name, value]) => [name, Number(value)]);
  return Object.fromEntries(counted) as CheckpointContents;
}

/** Actions with statistics apart, which would be escaped and parsed for nothing. */
async function readState(session: SqlSession, file: string): Promise<unknown[]> {
  const rows = await session.run(`
    SELECT coalesce(${json('protocol')}, ${json('metaData')}, ${json('txn')}, ${json('add', ['stats'])}) AS action,
           "add".stats AS stats, "add" IS NOT NULL AS added, txn IS NOT NULL AS txn, protocol IS NOT NULL AS protocol
    FROM ${checkpoint(file)} WHERE remove IS NULL`);
  return rows.flatMap(({ action, stats, added, txn, protocol }): unknown[] => {
    if (typeof action !== 'string') return []; // an unknown action
    const fields = JSON.parse(action) as Record<string, unknown>;
    if (added) return [{ add: { ...fields, stats } }];
    return [txn ? { txn: fields } : protocol ? { protocol: fields } : { metaData: fields }];
  });
}

/** A checkpoint with all columns, of which other writers may omit some. */
function checkpoint(file: string): string {
  const empty = Object.keys(COLUMNS).map((name) => `NULL::${structType(name)} AS ${identifier(name)}`);
  return `(SELECT ${empty.join(', ')} WHERE false UNION ALL BY NAME SELECT * FROM read_parquet(${literal(file)}))`;
}

function structType(column: string): string {
  const fields = Object.entries(COLUMNS[column]!).map(([name, type]) => `${identifier(name)} ${type}`);
  return `STRUCT(${fields.join(', ')})`;
}

/** Known fields of a column as a struct, some of them by another expression. */
function pack(column: string, without: readonly string[] = [], others: Record<string, string> = {}): string {
  const fields = Object.keys(COLUMNS[column]!).filter((name) => !without.includes(name));
  const valueOf = (name: string): string => others[name] ?? `${identifier(column)}.${identifier(name)}`;
  return `{${fields.map((name) => `${literal(name)}: ${valueOf(name)}`).join(', ')}}`;
}

/** Known fields of a column as JSON text; null for null. */
function json(column: string, without: readonly string[] = []): string {
  return `CASE WHEN ${identifier(column)} IS NOT NULL THEN to_json(${pack(column, without)})::VARCHAR END`;
}
