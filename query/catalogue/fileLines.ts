import { createReadStream } from 'node:fs';
import { LakeError } from '../../lake/errors.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { csvRecords } from './csv.ts';
import { fieldNamed } from './product.ts';

/** Forms of a catalogue's file. */
export const CATALOGUE_FORMATS = ['csv', 'ndjson', 'parquet'] as const;
export type CatalogueFormat = (typeof CATALOGUE_FORMATS)[number];

/** A line of a file, from 1; undefined fields: it is no product. */
export interface CatalogueLine {
  line: number;
  fields: Record<string, unknown> | undefined;
}

/** Fields by the columns of a file. Columns that are no field and not mapped are left out, and named. */
export interface ColumnMap {
  /** Field of a column, or `properties.<name>`; undefined: left out. */
  fieldOf(column: string): string | undefined;
  /** Columns left out so far. */
  leftOut: Set<string>;
}

/** The map of `--map column=field` pairs over the names of fields. */
export function columnMap(pairs: ReadonlyMap<string, string>): ColumnMap {
  const leftOut = new Set<string>();
  const mapped = new Set(pairs.values());
  return {
    leftOut,
    fieldOf: (column) => {
      const own = fieldNamed(column);
      const field = pairs.get(column) ?? (own !== undefined && mapped.has(own) ? undefined : own);
      if (field === undefined) leftOut.add(column);
      return field;
    },
  };
}

/**
 * Lines of a file as fields of products.
 * @throws LakeError catalogue_unreadable
 */
export function fileLines(
  file: string,
  format: CatalogueFormat,
  { map, session }: { map: ColumnMap; session: SqlSession },
): AsyncIterable<CatalogueLine> {
  if (format === 'parquet') return parquetLines(file, map, session);
  return format === 'csv' ? csvLines(texts(file), map) : ndjsonLines(texts(file), map);
}

/** Lines of NDJSON, each an object. */
export async function* ndjsonLines(chunks: AsyncIterable<string>, map?: ColumnMap): AsyncGenerator<CatalogueLine> {
  let rest = '';
  let line = 0;
  const read = (text: string): CatalogueLine | undefined => {
    line++;
    if (text.trim() === '') return undefined;
    return { line, fields: objectOf(text, map) };
  };
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const text of lines) {
      const found = read(text);
      if (found) yield found;
    }
  }
  const last = read(rest);
  if (last) yield last;
}

async function* csvLines(chunks: AsyncIterable<string>, map: ColumnMap): AsyncGenerator<CatalogueLine> {
  let head: (string | undefined)[] | undefined;
  for await (const { line, cells, broken } of csvRecords(chunks)) {
    if (!head) {
      head = cells.map((column) => map.fieldOf(column.trim()));
      if (!head.includes('productId'))
        throw unreadable(
          `its first line has no column productId, but ${cells.map((cell) => JSON.stringify(cell.slice(0, 40))).join(', ')}. Name it with --map column=productId`,
        );
      continue;
    }
    const whole = !broken && cells.length === head.length;
    yield { line, fields: whole ? fieldsOf(head.map((field, index) => [field, cells[index]])) : undefined };
  }
}

async function* parquetLines(file: string, map: ColumnMap, session: SqlSession): AsyncGenerator<CatalogueLine> {
  const from = `read_parquet(${literal(file)}, hive_partitioning = false)`;
  const ask = async (sql: string): Promise<Record<string, unknown>[]> => {
    try {
      return await session.run(sql);
    } catch (error) {
      throw unreadable('it is no Parquet file', error);
    }
  };
  const [{ rows = 0 } = {}] = await ask(`SELECT count(*) AS rows FROM ${from}`);
  for (let first = 0; first < Number(rows); first += ROWS_AT_ONCE) {
    const found = await ask(`SELECT * FROM ${from} LIMIT ${ROWS_AT_ONCE} OFFSET ${first}`);
    for (const [index, row] of found.entries()) {
      const pairs = Object.entries(row).map(([column, value]): [string | undefined, unknown] => [
        map.fieldOf(column),
        value,
      ]);
      yield { line: first + index + 1, fields: fieldsOf(pairs) };
    }
  }
}

const ROWS_AT_ONCE = 10_000;

/** Text of a file in UTF-8, without a byte order mark. */
async function* texts(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of createReadStream(file)) yield decoder.decode(chunk as Buffer, { stream: true });
    yield decoder.decode();
  } catch (error) {
    throw unreadable(error instanceof TypeError ? 'it is not text in UTF-8' : (error as Error).message, error);
  }
}

function objectOf(text: string, map: ColumnMap | undefined): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (!map) return value as Record<string, unknown>;
  return fieldsOf(Object.entries(value).map(([column, one]) => [map.fieldOf(column), one]));
}

function fieldsOf(pairs: readonly [string | undefined, unknown][]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const properties: Record<string, unknown> = {};
  for (const [field, value] of pairs) {
    if (field === undefined) continue;
    if (field.startsWith('properties.')) properties[field.slice('properties.'.length)] = value;
    else fields[field] = value;
  }
  if (Object.keys(properties).length === 0) return fields;
  const own = typeof fields.properties === 'object' ? fields.properties : {};
  return { ...fields, properties: { ...own, ...properties } };
}

function unreadable(why: string, cause?: unknown): LakeError {
  return new LakeError('catalogue_unreadable', `The catalogue cannot be read: ${why}.`, { cause });
}
