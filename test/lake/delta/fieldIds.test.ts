import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, expect, test } from 'vitest';
import { fieldIdsOfFile, fieldIdsOption } from '../../../lake/delta/fieldIds.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { eventColumns } from '../../../schemas/columns.ts';
import { duckdbType, type StructField } from '../../../schemas/columnType.ts';
import { fieldPaths, grownFieldIds } from '../../../schemas/fieldIds.ts';
import { FIELD_IDS } from '../../../schemas/generated/fieldIds.ts';
import { createRegistry } from '../../../schemas/registry.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-field-ids-'));
const engine = openDuckdb({ memory: '512MiB', threads: 1, spillDir: '' });
afterAll(async () => {
  await engine.close();
  await rm(dir, { recursive: true, force: true });
});

/** Ids of a file by path, read by somebody else than DuckDB; the repeated group of a list is left out. */
async function idsIn(file: string): Promise<Record<string, number | undefined>> {
  const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(file));
  const ids: Record<string, number | undefined> = {};
  let at = 1;
  const read = (above: string): void => {
    const { name, field_id: id, num_children: children = 0, repetition_type: repetition } = schema[at++]!;
    const path = repetition === 'REPEATED' ? above : `${above}${name}`;
    if (repetition !== 'REPEATED') ids[path] = id;
    for (let child = 0; child < children; child++) read(repetition === 'REPEATED' ? above : `${path}.`);
  };
  while (at < schema.length) read('');
  return ids;
}

test('a data file and a copy of it carry the ids of the history', async () => {
  const columns = eventColumns(createRegistry());
  const file = join(dir, 'events.parquet');
  const copy = join(dir, 'copy.parquet');
  const session = engine.session();
  const nulls = columns.map(({ name, type }) => `NULL::${duckdbType(type)} AS "${name}"`).join(', ');
  await session.run(`COPY (SELECT ${nulls}) TO ${literal(file)} (FORMAT parquet${fieldIdsOption(columns)})`);
  const ids = await fieldIdsOfFile(session, file);
  await session.run(`COPY (FROM read_parquet(${literal(file)})) TO ${literal(copy)} (FORMAT parquet${ids})`);
  const wanted = Object.fromEntries(columns.flatMap(fieldPaths).map((path) => [path, FIELD_IDS[path]]));
  expect(await idsIn(file)).toEqual(wanted);
  expect(await idsIn(copy)).toEqual(wanted);
  expect(wanted['lines.element.quantity']).toBeTypeOf('number');
  await session.close();
});

test('a column that the history does not know has no id', () => {
  expect(fieldIdsOption([{ name: 'of_a_newer_version', type: 'string' }])).toBe('');
  const columns: StructField[] = [
    { name: 'coupon_codes', type: { list: 'string' } },
    { name: 'nobody', type: { struct: [{ name: 'x', type: 'long' }] } },
  ];
  expect(fieldIdsOption(columns)).toBe(', FIELD_IDS {"coupon_codes": {__duckdb_field_id: 26, "element": 27}}');
});

test('ids are given once: the first of the history are for ever', () => {
  expect(new Set(Object.values(FIELD_IDS)).size).toBe(Object.keys(FIELD_IDS).length);
  expect(FIELD_IDS).toMatchObject({ tenant: 1, event_time: 7, event_id: 8, total: 22, 'lines.element.quantity': 32 });
  const grown = grownFieldIds({ a: 1, gone: 7 }, ['new', 'a', 'new']);
  expect(grown).toEqual({ a: 1, gone: 7, new: 8 });
});
