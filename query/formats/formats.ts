import type { DuckDBValue } from '@duckdb/node-api';
import { jsonValue, type Json } from './values.ts';

/** Formats of an answer, with their media types. */
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
  /** Name of the type in DuckDB. */
  type: string;
}

/** Encodes rows into the bytes of an answer, piece by piece. */
export interface Encoder {
  head: string | Uint8Array;
  /** Encodes as many of the rows as fit into `room` bytes. */
  rows(rows: readonly DuckDBValue[][], room: number): { data: string | Uint8Array; taken: number };
  tail: string | Uint8Array;
}

/** Text formats, written row by row. */
type TextFormat = Exclude<AnswerFormat, 'parquet' | 'arrow'>;

/**
 * Creates the encoder of a text format.
 *
 * `json` writes the inside of an object, `"columns": […], "rows": […]`, with values as in values.ts. `ndjson` writes
 * one object per line. `csv` follows RFC 4180, with names first, NULL as an empty field and nested values as JSON.
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

/** An object of a row. Names come from the query, so `__proto__` is possible, and the last of equal names wins. */
function named(names: readonly string[], row: readonly Json[]): Record<string, Json> {
  return Object.fromEntries(row.map((value, index) => [names[index]!, value]));
}

/** One line of CSV (RFC 4180). */
export function csvLine(cells: readonly Json[]): string {
  const fields = cells.map((cell) => {
    const text = cell === null ? '' : typeof cell === 'string' ? cell : JSON.stringify(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  // Readers skip an empty line, and a row with it.
  if (fields.length === 1 && fields[0] === '') return '""\r\n';
  return `${fields.join(',')}\r\n`;
}
