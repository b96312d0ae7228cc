import { readFile, rm, mkdtemp, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetReadObjects } from 'hyparquet';
import { readParquet, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ColumnType } from '../../schemas/columnType.ts';
import { eventColumns } from '../../schemas/columns.ts';
import { REGISTRY, writeParquet as writeLakeFile, type Row, type WrittenFile } from '../support/lakeFixture.ts';

const COLUMNS = eventColumns(REGISTRY);
const PARTITION = { segment: 'web', date: '2026-11-23' };
const ROWS = 3_000;

const dir = await mkdtemp(join(tmpdir(), 'spor-test-interop-'));
let rows: Row[];
let zstd: WrittenFile;
let legacy: WrittenFile;

beforeAll(async () => {
  rows = Array.from({ length: ROWS }, (_, index) => randomRow(index));
  zstd = await writeLakeFile(dir, rows, {
    columns: COLUMNS,
    partition: PARTITION,
    parquet: { profile: 'zstd', age: 'compacted' },
  });
  legacy = await writeLakeFile(dir, rows, {
    columns: COLUMNS,
    partition: PARTITION,
    parquet: { profile: 'legacy', age: 'fresh' },
  });
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** A small generator with a fixed seed (mulberry32), so that a failure comes again. */
let state = 20261123;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const TEXTS = [
  '',
  'running shoes',
  'Grøn æble',
  '\u{1F45F}\u{10FFFF}',
  'a"b\\c\nd',
  "it's",
  ' ',
  'NULL',
  'x'.repeat(300),
];
const DECIMALS = ['0', '-0.0001', '99999999999999.9999', '-99999999999999.9999', '49.95', '0.1', '12345.6789'];
const TIMES = [
  '1969-12-31T23:59:59.999999Z',
  '1970-01-01T00:00:00.000001Z',
  '2026-11-23T10:00:00.123456Z',
  '9999-12-31T23:59:59.999999Z',
  '0001-01-01T00:00:00Z',
];

function randomValue(type: ColumnType, index: number): unknown {
  if (random() < 0.2) return null;
  if (typeof type === 'object' && 'list' in type) {
    return Array.from({ length: Math.floor(random() * 4) }, () => randomValue(type.list, index));
  }
  if (typeof type === 'object')
    return Object.fromEntries(type.struct.map(({ name, type: field }) => [name, randomValue(field, index)]));
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  switch (type) {
    case 'string':
    case 'json':
      return random() < 0.5 ? pick(TEXTS) : `value-${index}-${random()}`; // too many for a dictionary page
    case 'boolean':
      return random() < 0.5;
    case 'integer':
      return pick([0, -1, 2147483647, -2147483648, index]);
    case 'long':
      return pick([0, -1, Number.MAX_SAFE_INTEGER, index]);
    case 'double':
      return pick([0.1, -1.5e300, 0]);
    case 'decimal':
      return pick(DECIMALS);
    case 'timestamp':
      return pick(TIMES);
    case 'date':
      return '2026-11-23';
  }
}

function randomRow(index: number): Row {
  return Object.fromEntries(COLUMNS.map(({ name, type }) => [name, randomValue(type, index)]));
}

/** Maps the scalars of a value, through lists and structs; `items` finds a list's items in what a reader gives. */
function mapScalars(
  value: unknown,
  type: ColumnType,
  scalar: (value: unknown, type: string) => unknown,
  items: (list: unknown) => unknown[] = (list) => list as unknown[],
): unknown {
  if (value === null || value === undefined) return null;
  if (typeof type === 'string') return scalar(value, type);
  if ('list' in type) return items(value).map((item) => mapScalars(item, type.list, scalar, items));
  const fields = type.struct.map((field) => [
    field.name,
    mapScalars((value as Row)[field.name], field.type, scalar, items),
  ]);
  return Object.fromEntries(fields) as unknown;
}

/** What a reader must find, in units that no reader rounds: decimals × 10,000, times in microseconds. */
function expected(value: unknown, type: ColumnType): unknown {
  return mapScalars(value, type, (scalar, kind) => {
    if (kind === 'decimal') return unscaled(scalar as string);
    if (kind === 'timestamp') return micros(scalar as string);
    return kind === 'long' ? BigInt(scalar as number) : scalar;
  });
}

function unscaled(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(`${whole}${fraction.padEnd(4, '0')}`);
}

function micros(text: string): bigint {
  const [, seconds, fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(text)!;
  return BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/**
 * The columns in which what was read differs from what was written: `normal` brings what the reader gave to the units of
 * `expected`, `coarser` says what the reader can know of a value.
 */
function differences(
  read: readonly Row[],
  normal: (value: unknown, type: ColumnType) => unknown,
  coarser: (exact: unknown, type: ColumnType) => unknown = (exact) => exact,
): unknown[] {
  return rows.flatMap((row, index) =>
    COLUMNS.flatMap(({ name, type }) => {
      const want = coarser(expected(row[name], type), type);
      const got = normal(read[index]?.[name], type);
      return same(got, want) ? [] : [{ index, name, got, want }];
    }),
  );
}

function same(a: unknown, b: unknown): boolean {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
  return text(a) === text(b);
}

describe('files of the lake are read by others as they were written', () => {
  test.each(['zstd', 'legacy'] as const)('hyparquet (%s)', async (profile) => {
    const bytes = await readFile((profile === 'zstd' ? zstd : legacy).localPath);
    const read = await parquetReadObjects({
      file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      compressors: { ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) },
      parsers: { timestampFromMicroseconds: (value: bigint) => value },
    });
    expect(read).toHaveLength(ROWS);
    // It gives decimals as doubles, which hold the largest ones to the nearest 1/64 only.
    const normal = (value: unknown, type: ColumnType): unknown =>
      mapScalars(value, type, (scalar, kind) => (kind === 'decimal' ? nearestDecimal(scalar as number) : scalar));
    expect(differences(read, normal)).toEqual([]);
  });

  test('parquetjs-lite (legacy), once it is told of decimals', async () => {
    const load = createRequire(import.meta.url);
    const { PARQUET_LOGICAL_TYPES } = load('parquetjs-lite/lib/types.js') as {
      PARQUET_LOGICAL_TYPES: Record<string, object>;
    };
    const asIs = (value: unknown): unknown => value;
    PARQUET_LOGICAL_TYPES.DECIMAL = {
      primitiveType: 'INT64',
      originalType: 'DECIMAL',
      toPrimitive: asIs,
      fromPrimitive: asIs,
    };
    const { ParquetReader } = load('parquetjs-lite') as {
      ParquetReader: {
        openFile(path: string): Promise<{ getCursor(): { next(): Promise<Row | null> }; close(): Promise<void> }>;
      };
    };
    const reader = await ParquetReader.openFile(legacy.localPath);
    const read: Row[] = [];
    const cursor = reader.getCursor();
    for (let row = await cursor.next(); row; row = await cursor.next()) read.push(row);
    await reader.close();
    expect(read).toHaveLength(ROWS);
    const items = (list: unknown): unknown[] =>
      ((list as { list?: { element?: unknown }[] }).list ?? []).map(({ element }) => element);
    const normal = (value: unknown, type: ColumnType): unknown =>
      mapScalars(
        value,
        type,
        (scalar, kind) => (kind === 'timestamp' ? BigInt((scalar as Date).getTime()) * 1000n : scalar),
        items,
      );
    // It knows times to the millisecond, cut towards 1970; everything else exactly.
    const coarser = (exact: unknown, type: ColumnType): unknown =>
      type === 'timestamp' && typeof exact === 'bigint' ? (exact / 1000n) * 1000n : exact;
    expect(differences(read, normal, coarser)).toEqual([]);
  });

  test.each(['zstd', 'legacy'] as const)(
    'parquet-wasm (%s): decoded and written again, DuckDB finds the same rows',
    async (profile) => {
      const file = profile === 'zstd' ? zstd : legacy;
      const copy = join(dir, `copy-${profile}.parquet`);
      await writeFile(
        copy,
        writeParquet(readParquet(await readFile(file.localPath)), new WriterPropertiesBuilder().build()),
      );
      const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
      const connection = await instance.connect();
      const count = async (sql: string): Promise<unknown> => (await connection.runAndReadAll(sql)).getRowsJson()[0]![0];
      expect(await count(`SELECT count(*) FROM '${copy}'`)).toBe(String(ROWS));
      for (const [a, b] of [
        [copy, file.localPath],
        [file.localPath, copy],
      ]) {
        expect(await count(`SELECT count(*) FROM (FROM '${a}' EXCEPT ALL FROM '${b}')`)).toBe('0');
      }
      expect(
        await count(
          `SELECT list(column_type ORDER BY column_name)::VARCHAR = (SELECT list(column_type ORDER BY column_name)::VARCHAR FROM (DESCRIBE FROM '${file.localPath}')) FROM (DESCRIBE FROM '${copy}')`,
        ),
      ).toBe(true);
      connection.closeSync();
      instance.closeSync();
    },
  );

  test('DuckDB itself gives back what went in', async () => {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    const read = (await connection.runAndReadAll(`FROM '${zstd.localPath}'`)).getRowObjectsJson();
    const normal = (value: unknown, type: ColumnType): unknown =>
      mapScalars(value, type, (scalar, kind) => {
        if (kind === 'decimal') return unscaled(scalar as string);
        if (kind === 'long') return BigInt(scalar as string);
        if (kind === 'timestamp') return micros(`${(scalar as string).replace(' ', 'T').replace(/\+00$/, '')}Z`);
        return scalar;
      });
    expect(read).toHaveLength(ROWS);
    expect(differences(read, normal)).toEqual([]);
    const kinds = (
      await connection.runAndReadAll(
        `SELECT DISTINCT compression, row_group_num_rows FROM parquet_metadata('${zstd.localPath}')`,
      )
    ).getRowsJson();
    expect(kinds).toEqual([['ZSTD', String(ROWS)]]);
    connection.closeSync();
    instance.closeSync();
  });
});

/** The decimal among those written that a double came from. */
function nearestDecimal(value: number): bigint {
  const known = DECIMALS.find((text) => Math.abs(Number(text) - value) <= Math.abs(value) * 1e-15);
  return known === undefined ? BigInt(Math.round(value * 10_000)) : unscaled(known);
}
