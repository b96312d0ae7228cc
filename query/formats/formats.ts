import type { DuckDBValue } from '@duckdb/node-api';
import { jsonValue, type Json } from './values.ts';

/** The forms an answer can have, and the media type of each. */
export const FORMATS = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8; header=present',
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.stream',
} as const;

export type AnswerFormat = keyof typeof FORMATS;

export interface AnswerColumn {
  name: string;
  /** As DuckDB names it. */
  type: string;
}

/** Turns rows into the bytes of an answer, piece by piece. */
export interface Encoder {
  head: string | Uint8Array;
  /** As many of the rows as fit into a number of bytes. */
  rows(rows: readonly DuckDBValue[][], room: number): { data: string | Uint8Array; taken: number };
  tail: string | Uint8Array;
}

/** Formats that are text, written row by row. */
type TextFormat = Exclude<AnswerFormat, 'parquet' | 'arrow'>;

/**
 * The encoders of text. `json` is what stands between the braces of an object: `"columns": […], "rows": […]`,
 * values as values.ts says; `ndjson` an object per line; `csv` RFC 4180 with the names first, NULL empty, nested values as JSON.
 */
export function createTextEncoder(format: TextFormat, columns: readonly AnswerColumn[]): Encoder {
  const names = columns.map(({ name }) => name);
  switch (format) {
    case 'json': {
      let separator = '';
      const line = (row: Json[]): string => {
        const text = `${separator}${JSON.stringify(row)}`;
        separator = ',';
        return text;
      };
      return { head: `"columns":${JSON.stringify(columns)},"rows":[`, rows: byRow(line), tail: ']' };
    }
    case 'ndjson':
      return { head: '', rows: byRow((row) => `${JSON.stringify(named(names, row))}\n`), tail: '' };
    case 'csv':
      return { head: csvLine(names), rows: byRow(csvLine), tail: '' };
  }
}

function byRow(line: (row: Json[]) => string): Encoder['rows'] {
  return (rows, room) => {
    let data = '';
    let bytes = 0;
    let taken = 0;
    for (const row of rows) {
      const piece = line(row.map(jsonValue));
      bytes += Buffer.byteLength(piece);
      if (bytes > room) break;
      data += piece;
      taken++;
    }
    return { data, taken };
  };
}

/** Names come from the query: `__proto__` may be among them, and one may stand twice, of which the last wins. */
function named(names: readonly string[], row: readonly Json[]): Record<string, Json> {
  return Object.fromEntries(row.map((value, index) => [names[index]!, value]));
}

/** A line of RFC 4180. */
export function csvLine(cells: readonly Json[]): string {
  const fields = cells.map((cell) => {
    const text = cell === null ? '' : typeof cell === 'string' ? cell : JSON.stringify(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${fields.join(',')}\r\n`;
}
