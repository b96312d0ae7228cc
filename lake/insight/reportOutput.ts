import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import { parquetCopyOptions } from '../parquet.ts';
import { jsonValue, type Json } from '../query/values.ts';
import { runReport, type BoundReport } from './reportRun.ts';

/** Where a report goes, and in which form. */
export type ReportOutput =
  /** For eyes; `format` lays out the cells. All rows are held in memory. */
  | { as: 'table'; write: Write; format: (columns: readonly string[], rows: readonly Json[][]) => string }
  /** RFC 4180, column names first; NULL is empty. */
  | { as: 'csv'; write: Write }
  /** One array, an object per row and line; decimals as text, so that none is rounded. */
  | { as: 'json'; write: Write }
  /** A Parquet file with the types of the report. */
  | { as: 'parquet'; path: string };

/** Called with pieces of text, in order; the next piece is made once it resolves. */
type Write = (text: string) => void | Promise<void>;

const MILLIS_PER_DAY = 86_400_000;

/**
 * Runs a report and writes it. What the connection needs is said at runReport; its time zone must be UTC.
 * @returns the number of rows.
 */
export async function writeReport(
  connection: DuckDBConnection,
  bound: BoundReport,
  output: ReportOutput,
): Promise<number> {
  if (output.as === 'parquet') return writeParquet(connection, bound, output.path);
  const result = await runReport(connection, bound);
  switch (output.as) {
    case 'table': {
      const rows: Json[][] = [];
      for await (const chunk of rowsOf(result)) rows.push(...chunk);
      await output.write(output.format(result.columnNames(), rows));
      return rows.length;
    }
    case 'csv':
      await output.write(csvLine(result.columnNames()));
      return writeRows(result, output.write, (row) => csvLine(row));
    case 'json': {
      const names = result.columnNames();
      await output.write('[');
      const count = await writeRows(result, output.write, (row, index) => {
        const value = Object.fromEntries(row.map((cell, column) => [names[column]!, cell]));
        return `${index === 0 ? '' : ','}\n${JSON.stringify(value)}`;
      });
      await output.write('\n]\n');
      return count;
    }
  }
}

/** The last days up to and with today, by UTC, as a report's period. */
export function lastDays(nowMs: number, days = 28): { from: string; to: string } {
  const tomorrow = (Math.floor(nowMs / MILLIS_PER_DAY) + 1) * MILLIS_PER_DAY;
  const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  return { from: iso(tomorrow - days * MILLIS_PER_DAY), to: iso(tomorrow) };
}

/** COPY takes no parameters, so the rows go through a table of the connection's own. */
async function writeParquet(
  connection: DuckDBConnection,
  { sql, values, types }: BoundReport,
  path: string,
): Promise<number> {
  await connection.run(`CREATE TEMP TABLE report_output AS ${sql}`, values, types);
  try {
    const file = path.replaceAll("'", "''");
    await connection.run(`COPY report_output TO '${file}' (${parquetCopyOptions()})`);
    const [[count]] = (await connection.runAndReadAll('SELECT count(*)::INTEGER FROM report_output')).getRows() as [
      [number],
    ];
    return count;
  } finally {
    await connection.run('DROP TABLE report_output');
  }
}

async function writeRows(
  result: DuckDBResult,
  write: Write,
  format: (row: Json[], index: number) => string,
): Promise<number> {
  let count = 0;
  for await (const chunk of rowsOf(result)) {
    await write(chunk.map((row) => format(row, count++)).join(''));
  }
  return count;
}

async function* rowsOf(result: DuckDBResult): AsyncGenerator<Json[][]> {
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    yield chunk.getRows().map((row) => row.map(jsonValue));
  }
}

function csvLine(cells: readonly Json[]): string {
  const fields = cells.map((cell) => {
    const text = cell === null ? '' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${fields.join(',')}\r\n`;
}
