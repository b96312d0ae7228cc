import { DuckDBTimestampTZValue, DuckDBTimestampValue } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { csvLine } from '../../../query/formats/formats.ts';
import { jsonValue } from '../../../query/formats/values.ts';

test('a row of one NULL is a line that no reader skips', () => {
  expect([csvLine([null]), csvLine(['']), csvLine([null, null])]).toEqual(['""\r\n', '""\r\n', ',\r\n']);
});

test('only a time with a zone is shown with one', () => {
  expect(jsonValue(new DuckDBTimestampValue(1_500n))).toBe('1970-01-01T00:00:00.001500');
  expect(jsonValue(new DuckDBTimestampTZValue(1_500n))).toBe('1970-01-01T00:00:00.001500Z');
});
