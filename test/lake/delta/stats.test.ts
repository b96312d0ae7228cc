import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ColumnType } from '../../../schemas/columnType.ts';
import { copyStats, fileStats, formatStats, type CopyStats, type FileStats } from '../../../lake/delta/stats.ts';
import { writeParquet } from '../../support/lakeFixture.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-stats-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

function statsOf(type: ColumnType, leaf: Record<string, string>, path = '"c"'): Omit<FileStats, 'numRecords'> {
  const copy: CopyStats = {
    filename: 'f',
    count: 5,
    file_size_bytes: 1,
    column_statistics: { [path]: leaf },
    partition_keys: {},
  };
  const { minValues, maxValues, nullCount } = fileStats(copy, [{ name: 'c', type }]);
  return { minValues, maxValues, nullCount };
}

describe('bounds', () => {
  test.each<[string, ColumnType, string, string, unknown, unknown]>([
    ['texts', 'string', 'a', 'b', 'a', 'b'],
    [
      'long texts are cut, the maximum upwards',
      'string',
      'a'.repeat(40),
      'b'.repeat(40),
      'a'.repeat(36),
      `${'b'.repeat(36)}\u{10FFFF}`,
    ],
    [
      'a UUID stays whole',
      'string',
      '01a220ba-8a96-754f-9e86-62b0c76a0001',
      '01a220f4-37db-72d0-859e-2d6a04ddffff',
      '01a220ba-8a96-754f-9e86-62b0c76a0001',
      '01a220f4-37db-72d0-859e-2d6a04ddffff',
    ],
    ['a cut splits no surrogate pair', 'string', '\u{1F600}'.repeat(37), 'x', '\u{1F600}'.repeat(36), 'x'],
    [
      '36 characters beyond the basic plane are no more than 36',
      'string',
      '\u{1F600}'.repeat(36),
      'x',
      '\u{1F600}'.repeat(36),
      'x',
    ],
    [
      'timestamps in milliseconds, outwards',
      'timestamp',
      '2026-11-23 10:00:00.123456+00',
      '2026-11-23 10:00:00.123456+00',
      '2026-11-23T10:00:00.123Z',
      '2026-11-23T10:00:00.124Z',
    ],
    [
      'whole milliseconds stay',
      'timestamp',
      '2026-11-23 10:00:00+00',
      '2026-11-23 10:00:00.9+00',
      '2026-11-23T10:00:00.000Z',
      '2026-11-23T10:00:00.900Z',
    ],
    [
      'times before 1970',
      'timestamp',
      '1969-12-31 23:59:59.999999+00',
      '1969-12-31 23:59:59.999999+00',
      '1969-12-31T23:59:59.999Z',
      '1970-01-01T00:00:00.000Z',
    ],
    ['dates', 'date', '2026-01-01', '2026-12-31', '2026-01-01', '2026-12-31'],
    ['integers', 'integer', '-5', '7', -5, 7],
    ['longs', 'long', '-9007199254740991', '9007199254740991', -9007199254740991, 9007199254740991],
    ['decimals as numbers', 'decimal', '-0.0001', '49.9500', -0.0001, 49.95],
    ['whole decimals', 'decimal', '0.0000', '100.0000', 0, 100],
    ['doubles', 'double', '-1.5e300', '2.5', -1.5e300, 2.5],
    [
      'a decimal no double holds',
      'decimal',
      '-9999999999.99991',
      '12345678901234.5678',
      -9999999999.99991,
      12345678901234.6,
    ],
    [
      'one below zero',
      'decimal38',
      '-12345678901234567.8901',
      '-1234567890123456.7',
      -12345678901234600,
      -1234567890123450,
    ],
    ['a long no double holds', 'long', '-9007199254740993', '9007199254740993', -9007199254741000, 9007199254741000],
    [
      'the last microsecond of year 9999, and the first of year 1',
      'timestamp',
      '0001-01-01 00:00:00.000001+00',
      '9999-12-31 23:59:59.999999+00',
      '0001-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999999Z',
    ],
  ])('%s', (...[, type, min, max, wantMin, wantMax]) => {
    expect(statsOf(type, { min, max, null_count: '2' })).toEqual({
      minValues: { c: wantMin },
      maxValues: { c: wantMax },
      nullCount: { c: 2 },
    });
  });

  test.each<[string, ColumnType, Record<string, string>]>([
    ['a decimal that rounds beyond its type', 'decimal', { min: '0.0000', max: '99999999999999.9999' }],
    ['a long that rounds beyond its type', 'long', { min: '0', max: '9223372036854775807' }],
    ['a time after year 9999', 'timestamp', { min: '2026-11-23 10:00:00+00', max: '10000-01-01 00:00:00+00' }],
    ['a time before year 1', 'timestamp', { min: '0044-03-15 (BC) 00:00:00+00', max: '2026-11-23 10:00:00+00' }],
    ['a boolean', 'boolean', { min: '0', max: '1' }],
    ['NaN', 'double', { min: '0', max: '1', has_nan: 'true' }],
    ['infinity', 'timestamp', { min: 'infinity', max: 'infinity' }],
    ['another time zone', 'timestamp', { min: '2026-11-23 10:00:00+01', max: '2026-11-23 10:00:00+01' }],
    ['a date out of range', 'date', { min: '0044-03-15 (BC)', max: '2026-01-01' }],
    ['nothing but nulls', 'string', {}],
  ])('%s: left out rather than wrong', (_what, type, leaf) => {
    expect(statsOf(type, { ...leaf, null_count: '1' })).toEqual({ minValues: {}, maxValues: {}, nullCount: { c: 1 } });
  });

  test('structs nest, lists have none', () => {
    const struct: ColumnType = {
      struct: [
        { name: 'a', type: 'integer' },
        { name: 'b', type: { list: 'string' } },
      ],
    };
    expect(statsOf(struct, { min: '1', max: '2', null_count: '0' }, '"c"."a"')).toEqual({
      minValues: { c: { a: 1 } },
      maxValues: { c: { a: 2 } },
      nullCount: { c: { a: 0 } },
    });
    expect(statsOf({ list: 'integer' }, { min: '1', max: '2', null_count: '0' }, '"c"."element"')).toEqual({
      minValues: {},
      maxValues: {},
      nullCount: {},
    });
  });
});

test('what DuckDB returns of a file it wrote', async () => {
  const columns = [
    { name: 'we"ird', type: 'string' as const },
    { name: 'at', type: 'timestamp' as const },
    { name: 'total', type: 'decimal' as const },
    { name: 'never', type: 'integer' as const },
    { name: 'ids', type: { list: 'string' as const } },
  ];
  const rows = [
    { 'we"ird': 'b', at: '2026-11-23T10:00:00.000001Z', total: '1.5', ids: ['x'] },
    { 'we"ird': null, at: '2026-11-23T11:00:00Z', total: '-2', ids: null },
  ];
  const file = await writeParquet(dir, rows, { columns, partition: { segment: 'web', date: '2026-11-23' } });
  expect(file.rows).toBe(2);
  expect(file.stats).toEqual({
    numRecords: 2,
    minValues: { 'we"ird': 'b', at: '2026-11-23T10:00:00.000Z', total: -2 },
    maxValues: { 'we"ird': 'b', at: '2026-11-23T11:00:00.000Z', total: 1.5 },
    nullCount: { 'we"ird': 1, at: 0, total: 0, never: 2 },
  });
});

test('large bounds are written without an exponent', () => {
  const { minValues, maxValues } = statsOf('decimal38', {
    min: '-1234567890123456789012345.5',
    max: '1500000000000000000000000.5',
  });
  const text = formatStats({ numRecords: 2, minValues, maxValues, nullCount: {} });
  expect(text).toBe(
    '{"numRecords":2,"minValues":{"c":-1234567890123460000000000},"maxValues":{"c":1500000000000010000000000},"nullCount":{}}',
  );
  expect(formatStats(JSON.parse(text) as FileStats)).toBe(text);
});

test('a row without maps is read too', () => {
  expect(
    copyStats({
      filename: 'x',
      count: '7',
      file_size_bytes: '9',
      column_statistics: null,
      partition_keys: [{ key: 'date', value: '2026-11-23' }],
    }),
  ).toEqual({
    filename: 'x',
    count: 7,
    file_size_bytes: 9,
    column_statistics: {},
    partition_keys: { date: '2026-11-23' },
  });
});
