import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { readState } from '../../lake/maintenance/independentLog.ts';

/** A count that each engine must answer alike, with and without a filter. */
export interface Question {
  /** Absolute path of a Delta table, or `s3://bucket/path`. */
  table: string;
  s3?: S3Access;
  /** Absent: all rows. */
  filter?: { column: string; type: 'text' | 'whole' | 'decimal' | 'time' | 'float'; value: string };
  rows: number;
}

export interface S3Access {
  endpoint: string;
  region: string;
  id: string;
  secret: string;
}

const KINDS: readonly [RegExp, NonNullable<Question['filter']>['type']][] = [
  [/^VARCHAR$/, 'text'],
  [/^(INTEGER|BIGINT)$/, 'whole'],
  [/^DECIMAL/, 'decimal'],
  [/^TIMESTAMP/, 'time'],
  [/^DOUBLE$/, 'float'],
];

/**
 * Questions about tables: all rows, and the rows with the least and the greatest value of each column.
 * Such values lie exactly at the bounds in the log. DuckDB answers first, over the files that the log lists.
 */
export async function questionsAbout(lake: string, roots: readonly string[]): Promise<Question[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const ask = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await connection.runAndReadAll(sql)).getRowObjectsJson();
  await ask("SET TimeZone = 'UTC'");
  const questions: Question[] = [];
  for (const root of roots) {
    const table = join(lake, root);
    const { files } = await readState(table);
    if (files.size === 0) continue;
    // The log lies in a folder here, also if the engines read the same table from S3.
    const list = [...files.keys()].map((path) => `'${join(table, path)}'`).join(', ');
    const rows = `read_parquet([${list}], hive_partitioning = false, union_by_name = true)`;
    const [all] = await ask(`SELECT count(*) AS n FROM ${rows}`);
    questions.push({ table, rows: Number(all!.n) });
    for (const { column_name: name, column_type: type } of await ask(`DESCRIBE SELECT * FROM ${rows}`)) {
      const kind = KINDS.find(([pattern]) => pattern.test(String(type)))?.[1];
      if (kind === undefined) continue;
      const column = String(name);
      const found = await ask(
        `SELECT "${column}"::VARCHAR AS value, count(*) AS n FROM ${rows}
         WHERE "${column}" IN (SELECT unnest([min("${column}"), max("${column}")]) FROM ${rows}) GROUP BY 1`,
      );
      for (const { value, n } of found)
        questions.push({ table, filter: { column, type: kind, value: String(value) }, rows: Number(n) });
    }
  }
  connection.closeSync();
  instance.closeSync();
  return questions;
}
