import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { csvRecords, separatorOf } from '../../../query/catalogue/csv.ts';
import { columnMap, fileLines } from '../../../query/catalogue/fileLines.ts';
import { importCatalogue, type CatalogueImport } from '../../../query/catalogue/importCatalogue.ts';
import { readProduct } from '../../../query/catalogue/product.ts';
import { duckdbType } from '../../../schemas/columnType.ts';
import { deltaTable } from '../../../lake/delta/table.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { CATALOGUE_COLUMNS, catalogueSpec } from '../../../lake/layout/catalogue.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import type { CatalogueReport } from '../../../schemas/catalogue.ts';
import { commitRows } from '../../support/lakeFixture.ts';
import { LAKE_SETTINGS } from '../../../lake/config.ts';
import { readConfig } from '../../../runtime/config.ts';
import { PRODUCT_FIELDS, CATALOGUE_FAULTS } from '../../../schemas/catalogue.ts';
import { runSpor } from '../../support/runScript.ts';

let dir: string;
let storage: Storage;
const engine = openDuckdb({ memory: '256MiB', threads: 1, spillDir: '' });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-catalogue-'));
  storage = await openStorage(`file:${join(dir, 'lake')}`, readConfig(LAKE_SETTINGS, {}));
});
afterAll(async () => {
  await engine.close();
  storage.close();
  await rm(dir, { recursive: true, force: true });
});

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield await Promise.resolve(text.slice(at, at + size));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('CSV', () => {
  const text = 'id;name;note\r\n1;"Boots; ""warm""";\r\n\r\n2;"two\nlines";x\n3;plain "quotes"\n4;"a"b;c\n5;"open';
  const records = [
    { line: 1, cells: ['id', 'name', 'note'], broken: false },
    { line: 2, cells: ['1', 'Boots; "warm"', ''], broken: false },
    { line: 4, cells: ['2', 'two\nlines', 'x'], broken: false },
    { line: 6, cells: ['3', 'plain "quotes"'], broken: false },
    { line: 7, cells: ['4', 'a', 'c'], broken: true },
    { line: 8, cells: ['5', 'open'], broken: true },
  ];

  test.each([1, 7, 1_000])('in pieces of %i signs has records with their lines', async (size) => {
    expect(await all(csvRecords(pieces(text, size)))).toEqual(records);
  });

  test('has the separator that its first line has most', () => {
    expect(separatorOf('a;b;"c,d,e,f"')).toBe(';');
    expect(separatorOf('a\tb,c\td')).toBe('\t');
    expect(separatorOf('productId')).toBe(',');
  });
});

describe('a product', () => {
  test('is read field by field', () => {
    expect(
      readProduct(3, {
        productId: 4711,
        name: '  Boots ',
        category: 'Shoes > Boots >',
        price: '499.5',
        currency: 'dkk',
        cost: 200.00005,
        stock: '-1',
        properties: '{"colour":"red"}',
        brand: '',
        removed: 'FALSE',
      }),
    ).toEqual({
      line: 3,
      productId: '4711',
      given: ['product_id', 'name', 'category', 'price', 'currency', 'cost', 'stock', 'properties', 'brand', 'removed'],
      values: {
        product_id: '4711',
        name: 'Boots',
        category: ['Shoes', 'Boots'],
        price: '499.5000',
        currency: 'DKK',
        cost: '200.0001',
        stock: '-1.0000',
        properties: '{"colour":"red"}',
        brand: null,
        removed: false,
      },
    });
  });

  test.each([
    [{ name: 'Boots' }, 'product_id_missing', undefined],
    [{ productId: ' ' }, 'product_id_missing', undefined],
    [{ productId: 'x'.repeat(201) }, 'field_invalid', 'productId'],
    [{ productId: 'a', price: '1.299,00' }, 'field_invalid', 'price'],
    [{ productId: 'a', price: -1 }, 'field_invalid', 'price'],
    [{ productId: 'a', price: Infinity }, 'field_invalid', 'price'],
    [{ productId: 'a', currency: 'kroner' }, 'field_invalid', 'currency'],
    [{ productId: 'a', name: 'a\0b' }, 'field_invalid', 'name'],
    [{ productId: 'a', name: '\ud800' }, 'field_invalid', 'name'],
    [{ productId: 'a', category: { top: 'Shoes' } }, 'field_invalid', 'category'],
    [{ productId: 'a', properties: [1] }, 'field_invalid', 'properties'],
    [{ productId: 'a', removed: 'perhaps' }, 'field_invalid', 'removed'],
    [{ productId: 'a', colour: 'red' }, 'field_unknown', 'colour'],
    [JSON.parse('{"productId":"a","__proto__":1}') as Record<string, unknown>, 'field_unknown', '__proto__'],
  ])('%j is refused with %s', (fields, code, field) => {
    expect(readProduct(1, fields)).toMatchObject({ line: 1, code, ...(field === undefined ? {} : { field }) });
  });
});

type Line = Record<string, unknown>;

/** Imports lines into a segment. */
function put(tenantId: string, lines: readonly Line[], more: Partial<CatalogueImport> = {}): Promise<CatalogueReport> {
  const numbered = async function* () {
    for (const [index, fields] of lines.entries()) yield await Promise.resolve({ line: index + 1, fields });
  };
  const request = { tenantId, segmentId: 'web', lines: numbered, mode: 'part' as const, ...more };
  return importCatalogue(request, { storage, localFiles: lakeFolderFiles(storage) });
}

/** All versions of a segment in its files, oldest first. */
async function versions(tenantId: string, segmentId = 'web'): Promise<Line[]> {
  const table = deltaTable(storage, catalogueSpec(tenantId));
  const files = [...(await table.snapshot()).files.values()]
    .filter(({ partitionValues }) => partitionValues.segment === segmentId)
    .map(({ path }) => `'${storage.localPath(`${table.spec.root}/${path}`)}'`);
  const session = engine.session();
  try {
    return await session.run(
      `SELECT product_id, name, price::VARCHAR AS price, stock::INTEGER AS stock, removed
       FROM read_parquet([${files.join(', ')}], hive_partitioning = false) ORDER BY imported_at, product_id`,
    );
  } finally {
    await session.close();
  }
}

describe('an import', () => {
  test('in part changes the fields that it gives, and only what differs', async () => {
    const first = await put('part', [
      { productId: 'a', name: 'A', price: 10, stock: 5 },
      { productId: 'b', name: 'B', price: 20 },
    ]);
    expect(first).toMatchObject({ lines: 2, added: 2, changed: 0, removed: 0, unchanged: 0, bad: 0, version: 0 });
    const second = await put('part', [
      { productId: 'a', stock: 0 },
      { productId: 'b', price: '20.0000' },
      { productId: 'c', removed: true },
    ]);
    expect(second).toMatchObject({ added: 0, changed: 1, removed: 0, unchanged: 2, version: 1 });
    expect(await put('part', [{ productId: 'a', stock: 0 }])).toMatchObject({ unchanged: 1 });
    expect(await put('part', [{ productId: 'b', removed: true }])).toMatchObject({ removed: 1, version: 2 });
    expect(await versions('part')).toEqual([
      { product_id: 'a', name: 'A', price: '10.0000', stock: 5, removed: false },
      { product_id: 'b', name: 'B', price: '20.0000', stock: null, removed: false },
      { product_id: 'a', name: 'A', price: '10.0000', stock: 0, removed: false },
      { product_id: 'b', name: 'B', price: '20.0000', stock: null, removed: true },
    ]);
  });

  test('as a whole clears other fields and removes other products, of its segment only', async () => {
    await put('whole', [{ productId: 'a', name: 'A', price: 1 }, { productId: 'b' }]);
    await put('whole', [{ productId: 'z', name: 'Z' }], { segmentId: 'app' });
    const report = await put('whole', [{ productId: 'a', name: 'A' }, { productId: 'c' }], { mode: 'whole' });
    expect(report).toMatchObject({ added: 1, changed: 1, removed: 1, unchanged: 0 });
    expect((await versions('whole')).slice(2)).toEqual([
      { product_id: 'a', name: 'A', price: null, stock: null, removed: false },
      { product_id: 'b', name: null, price: null, stock: null, removed: true },
      { product_id: 'c', name: null, price: null, stock: null, removed: false },
    ]);
    expect(await versions('whole', 'app')).toHaveLength(1);
    await expect(put('whole', [], { mode: 'whole' })).rejects.toMatchObject({ code: 'catalogue_empty' });
  });

  test('stores nothing if a line is bad, or the good ones if asked', async () => {
    const lines = [{ productId: 'a' }, { productId: 'a' }, { name: 'nameless' }, { productId: 'b', price: 'dear' }];
    const report = await put('bad', lines);
    expect(report).toMatchObject({ lines: 4, bad: 3, added: 0 });
    expect(report.faults.map(({ line, code }) => [line, code])).toEqual([
      [2, 'product_id_twice'],
      [3, 'product_id_missing'],
      [4, 'field_invalid'],
    ]);
    expect(report.version).toBeUndefined();
    expect(await put('bad', lines, { skipBad: true, dryRun: true })).toMatchObject({ added: 1, dryRun: true });
    expect((await deltaTable(storage, catalogueSpec('bad')).snapshot()).version).toBe(-1);
    expect(await put('bad', lines, { skipBad: true })).toMatchObject({ added: 1, bad: 3, version: 0 });
  });

  test('as a whole does not remove what it lists badly', async () => {
    await put('kept', [{ productId: 'a' }, { productId: 'b' }, { productId: 'c' }]);
    const whole = { mode: 'whole', skipBad: true, dryRun: true } as const;
    expect(await put('kept', [{ productId: 'a' }, { productId: 'b', price: 'dear' }], whole)).toMatchObject({
      bad: 1,
      removed: 1,
    });
    expect(await put('kept', [{ productId: 'a' }, { price: 5 }], whole)).toMatchObject({ bad: 1, removed: 0 });
  });

  test('may say since when it is valid, and is compared with what was valid then', async () => {
    await put('since', [{ productId: 'a', price: 3 }], { validFromMs: Date.parse('2026-03-01T00:00:00Z') });
    expect(
      await put('since', [{ productId: 'a', price: 1 }], { validFromMs: Date.parse('2026-01-01T00:00:00Z') }),
    ).toMatchObject({ added: 1, validFrom: '2026-01-01T00:00:00.000Z' });
    // Valid in between: a change of what was valid since January.
    expect(
      await put('since', [{ productId: 'a', price: 3 }], { validFromMs: Date.parse('2026-02-01T00:00:00Z') }),
    ).toMatchObject({ changed: 1 });
    expect(await put('since', [{ productId: 'a', price: 3 }])).toMatchObject({ unchanged: 1 });
  });

  test('of many parts keeps every version, in few files', async () => {
    for (let stock = 1; stock <= 20; stock++) await put('many', [{ productId: 'a', stock }]);
    const { files } = await deltaTable(storage, catalogueSpec('many')).snapshot();
    expect(files.size).toBeLessThan(17);
    expect((await versions('many')).map(({ stock }) => stock)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  test('beside another loses neither', async () => {
    const reports = await Promise.all(['a', 'b', 'c'].map((productId) => put('race', [{ productId, stock: 1 }])));
    expect(reports.map(({ added }) => added)).toEqual([1, 1, 1]);
    expect(new Set((await versions('race')).map(({ product_id: id }) => id))).toEqual(new Set(['a', 'b', 'c']));
  });
});

describe('spor catalogue import', () => {
  const spor = (...args: string[]): ReturnType<typeof runSpor> =>
    runSpor(['catalogue', 'import', ...args, '--tenant', 'shop', '--segment', 'web'], {
      cwd: dir,
      env: { LAKE_URL: `file:${join(dir, 'lake')}`, SPOR_CACHE_DIR: join(dir, 'cache') },
    });

  beforeAll(async () => {
    const click = { type: 'ProductClicked', session_id: 's', anonymous_id: 'a', event_time: '2026-11-23T10:00:00Z' };
    const ids = ['P2', 'P2', 'P9'];
    await commitRows(
      storage,
      'shop',
      ids.map((productId, at) => ({ ...click, event_id: `e-${at}`, product_id: productId })),
    );
    const csv =
      '\ufeffSKU;Product name;price;stock;colour;weight\nP1;"Boots; warm";499,00;3;red;2\nP2;Hat;99.50;0;;1\n';
    await writeFile(join(dir, 'shop.csv'), csv);
    await writeFile(join(dir, 'good.csv'), csv.replace('499,00', '499.00'));
    await writeFile(
      join(dir, 'shop.ndjson'),
      '{"product_id":"P3","category":["A","B"]}\n\nnonsense\n[1]\n{"productId":"P4"}',
    );
    await writeFile(join(dir, 'latin.csv'), Buffer.from([0x70, 0x72, 0xe6, 0x0a]));
    const session = engine.session();
    await session.run(
      `COPY (SELECT 'P5' AS sku, 'Søm' AS name, ['X', 'Y'] AS category, 12.5::DECIMAL(9,2) AS cost, 7 AS stock)
       TO '${join(dir, 'shop.parquet')}' (FORMAT parquet)`,
    );
    await session.close();
  });
  const mapped = ['--map', 'SKU=productId', '--map', 'Product name=name', '--map', 'colour=properties.colour'];

  test('names bad lines, and stores nothing', async () => {
    const failed = await spor('shop.csv', ...mapped);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/1 bad lines\n[^]*\n +2 +field_invalid +price must be a number/);
    expect(failed.stdout).toContain('nothing was stored');
    expect(failed.stderr).toContain('columns left out: weight');
    const lines = await spor('shop.ndjson', '--json', '--dry-run');
    expect([lines.code, JSON.parse(lines.stdout)]).toMatchObject([
      1,
      { lines: 4, bad: 2, faults: [{ line: 3, code: 'line_malformed' }, { line: 4 }] },
    ]);
    expect(await spor('latin.csv')).toMatchObject({ code: 1 });
    expect((await spor('shop.csv', '--map', 'SKU=sku')).code).toBe(2);
    expect((await spor('shop.txt')).code).toBe(2);
    expect((await spor('shop.csv')).stderr).toContain('no column productId');
  });

  test('takes CSV, NDJSON and Parquet', async () => {
    expect(JSON.parse((await spor('good.csv', ...mapped, '--json')).stdout)).toMatchObject({ added: 2, version: 0 });
    expect(JSON.parse((await spor('shop.ndjson', '--skip-bad', '--json')).stdout)).toMatchObject({ added: 2, bad: 2 });
    const parquet = await spor('shop.parquet', '--map', 'sku=productId', '--json');
    expect(JSON.parse(parquet.stdout)).toMatchObject({ added: 1, version: 2 });
    expect((await versions('shop')).map(({ product_id: id, name, stock }) => [id, name, stock])).toEqual([
      ['P1', 'Boots; warm', 3],
      ['P2', 'Hat', 0],
      ['P3', null, null],
      ['P4', null, null],
      ['P5', 'Søm', 7],
    ]);
  });

  test('gives reports names, and knows what is sold out or unknown', async () => {
    const env = { LAKE_URL: `file:${join(dir, 'lake')}`, SPOR_CACHE_DIR: join(dir, 'cache') };
    const ask = async (...args: string[]): Promise<unknown[][]> => {
      const { stdout } = await runSpor([...args, '--tenant', 'shop', '--json'], { cwd: dir, env });
      return (JSON.parse(stdout) as { rows: unknown[][] }).rows;
    };
    const week = ['--from', '2026-11-20', '--to', '2026-11-27'];
    const funnel = await ask('report', 'product_funnel', ...week);
    expect(funnel.map((row) => row.slice(0, 3))).toEqual([
      ['P2', 'Hat', 2],
      ['P9', null, 1],
    ]);
    expect((await ask('report', 'sold_out', ...week)).map((row) => row.slice(0, 3))).toEqual([['P2', 'Hat', '0.0000']]);
    expect((await ask('report', 'unknown_products', ...week)).map((row) => row.slice(0, 3))).toEqual([
      ['P9', null, false],
    ]);
    expect(
      await ask('sql', "select name, category from catalogue where product_id in ('P1', 'P3') order by all"),
    ).toEqual([
      ['Boots; warm', null],
      [null, ['A', 'B']],
    ]);
    expect(await ask('sql', 'select count(*) from catalogue_history')).toEqual([[5]]);
  });

  test('reads a file of a hundred thousand lines with the right numbers', async () => {
    const file = join(dir, 'large.csv');
    const lines = Array.from({ length: 100_000 }, (_, at) => `P${at},"Name ""${at}"""`);
    await writeFile(file, ['productId,name', ...lines].join('\r\n'));
    const session = engine.session();
    const read = await all(fileLines(file, 'csv', { map: columnMap(new Map()), session }));
    await session.close();
    expect(read).toHaveLength(100_000);
    expect(read.at(-1)).toEqual({ line: 100_001, fields: { productId: 'P99999', name: 'Name "99999"' } });
  });
});

test('the page names every field and every code', async () => {
  const page = await readFile(new URL('../../../docs/catalogue.md', import.meta.url), 'utf8');
  const named = [...Object.keys(PRODUCT_FIELDS), ...Object.keys(CATALOGUE_FAULTS)];
  expect(named.filter((name) => !page.includes(`| \`${name}\``))).toEqual([]);
  const columns = CATALOGUE_COLUMNS.map(({ name, type }) => `| \`${name}\` | ${duckdbType(type)} |`);
  const plain = page.replaceAll(/ +/g, ' ');
  expect(columns.filter((row) => !plain.includes(row))).toEqual([]);
});
