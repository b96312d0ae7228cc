import { mkdtemp, readdir, readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { AppendCommit, NewFile } from '../../../lake/delta/commits.ts';
import { deltaTable, type Table, type TableSpec } from '../../../lake/delta/table.ts';
import { TxnConflictError } from '../../../lake/delta/txnConflict.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { startS3 } from '../../../scripts/s3/s3Server.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-delta-'));
const s3 = await startS3();
const s3Why = 'unavailable' in s3 ? s3.unavailable : '';
const opened: Storage[] = [];
let lakes = 0;

afterAll(async () => {
  for (const storage of opened) storage.close();
  if (!('unavailable' in s3)) await s3.stop();
  await rm(dir, { recursive: true, force: true });
});

const SPEC: TableSpec = {
  root: 'events/tenant=t',
  columns: [
    { name: 'event_id', type: 'string', description: 'Id.' },
    { name: 'total', type: 'decimal' },
    { name: 'lines', type: { list: { struct: [{ name: 'product_id', type: 'string' }] } } },
  ],
  partitionColumns: ['segment', 'date'],
};
const APP = 'EVENTS_0@2026-11-23T10:00:00Z';

async function newLake(): Promise<Storage> {
  return openLocalStorage(join(dir, `lake-${lakes++}`));
}

function file(name: string, rows = 3): NewFile {
  return {
    path: `segment=web/date=2026-11-23/${name}.parquet`,
    size: 1000 + rows,
    rows,
    partitionValues: { segment: 'web', date: '2026-11-23' },
    stats: { numRecords: rows, minValues: { event_id: 'a' }, maxValues: { event_id: 'z' }, nullCount: { event_id: 0 } },
  };
}

function commit(
  name: string,
  version: number,
  expected: number | undefined,
  more: Partial<AppendCommit['txn']> = {},
): AppendCommit {
  return { files: [file(name)], txn: { appId: APP, version, expected, ...more }, info: { window: name } };
}

/**
 * The live files and txns of a table by an independent reading of the protocol: the JSON files in order, nothing of ours.
 */
async function independently(folder: string): Promise<{
  version: number;
  files: Map<string, Record<string, unknown>>;
  txns: Record<string, number>;
  schema: unknown;
}> {
  const names = (await readdir(join(folder, '_delta_log'))).filter((name) => /^\d{20}\.json$/.test(name)).sort();
  const files = new Map<string, Record<string, unknown>>();
  const txns: Record<string, number> = {};
  let schema: unknown;
  const protocols: unknown[] = [];
  for (const [index, name] of names.entries()) {
    expect(Number(name.slice(0, 20))).toBe(index);
    for (const line of (await readFile(join(folder, '_delta_log', name), 'utf8')).trimEnd().split('\n')) {
      const [[kind, body]] = Object.entries(JSON.parse(line) as Record<string, Record<string, unknown>>) as [
        [string, Record<string, unknown>],
      ];
      if (kind === 'add') files.set(decodeURIComponent(String(body.path)), body);
      if (kind === 'remove') files.delete(decodeURIComponent(String(body.path)));
      if (kind === 'txn') txns[String(body.appId)] = Number(body.version);
      if (kind === 'metaData') schema = JSON.parse(String(body.schemaString));
      if (kind === 'protocol') protocols.push(body);
    }
  }
  expect(protocols).toEqual([{ minReaderVersion: 1, minWriterVersion: 2 }]);
  return { version: names.length - 1, files, txns, schema };
}

const drivers = [
  { name: 'local folder', skip: false, open: newLake },
  {
    name: `S3 ${s3Why}`,
    skip: s3Why !== '',
    open: async () => {
      if ('unavailable' in s3) throw new Error(s3.unavailable);
      const storage = await openStorage(`s3://${s3.bucket}/delta-${lakes++}`, s3.config);
      opened.push(storage);
      return storage;
    },
  },
];

for (const driver of drivers) {
  describe.skipIf(driver.skip)(`concurrent writers: ${driver.name}`, () => {
    test('no commit is lost, whichever of several instances makes it', async () => {
      const storage = await driver.open();
      const tables = Array.from({ length: 4 }, () => deltaTable(storage, SPEC));
      const versions = await Promise.all(
        tables.flatMap((table, writer) =>
          [0, 1].map(async (part) => {
            const appId = `EVENTS_${writer}_${part}@x`;
            const made: number[] = [];
            for (let i = 0; i < 6; i++) {
              const txn = { appId, version: i, expected: i === 0 ? undefined : i - 1 };
              made.push((await table.append({ files: [file(`w${writer}-${part}-${i}`)], txn, info: {} })).version);
            }
            return made;
          }),
        ),
      );
      const all = versions.flat().sort((a, b) => a - b);
      expect(all).toEqual(Array.from({ length: 48 }, (_, i) => i));
      for (const table of [...tables, deltaTable(storage, SPEC)]) {
        const snapshot = await table.snapshot();
        expect(snapshot.version).toBe(47);
        expect(snapshot.files.size).toBe(48);
        expect([...snapshot.txns.values()]).toEqual(Array.from({ length: 8 }, () => 5));
      }
    });

    test('of owners that planned on the same state exactly one commits; the others leave nothing', async () => {
      const storage = await driver.open();
      await deltaTable(storage, SPEC).append(commit('first', 10, undefined));
      const tried = await Promise.allSettled(
        Array.from({ length: 8 }, (_, owner) =>
          deltaTable(storage, SPEC).append(commit(`owner${owner}`, 20 + owner, 10)),
        ),
      );
      const won = tried.flatMap((result, owner) => (result.status === 'fulfilled' ? [owner] : []));
      expect(won).toHaveLength(1);
      const reasons = tried.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
      expect(reasons.every((reason) => reason instanceof TxnConflictError)).toBe(true);
      const snapshot = await deltaTable(storage, SPEC).snapshot();
      expect([...snapshot.files.keys()]).toEqual([file('first').path, file(`owner${won[0]}`).path]);
      expect(snapshot.txns.get(APP)).toBe(20 + won[0]!);
    });
  });
}

describe('append', () => {
  test('creates the table with its schema; an independent reader of the log sees the same', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    expect((await table.snapshot()).version).toBe(-1);
    expect(await table.append(commit('a', 5, undefined))).toEqual({ version: 0 });
    expect(await table.append({ ...commit('b', 9, 5), files: [file('b', 7), file('100% #1?=æ ø', 1)] })).toEqual({
      version: 1,
    });
    const snapshot = await deltaTable(storage, SPEC).snapshot();
    const other = await independently(storage.localPath(SPEC.root)!);
    expect(other.version).toBe(snapshot.version);
    expect([...other.files.keys()]).toEqual([...snapshot.files.keys()]);
    expect(other.txns).toEqual(Object.fromEntries(snapshot.txns));
    for (const [path, add] of snapshot.files) {
      const { path: _encoded, ...rest } = other.files.get(path)!;
      expect({ ...rest, path }).toEqual(add);
    }
    expect(JSON.parse(snapshot.files.get(file('b').path)!.stats!)).toMatchObject({
      numRecords: 7,
      minValues: { event_id: 'a' },
    });
    const log = await readFile(storage.localPath(`${SPEC.root}/_delta_log/00000000000000000001.json`)!, 'utf8');
    expect(log).toContain('100%25%20%231%3F=%C3%A6%20%C3%B8.parquet');
    expect(other.schema).toEqual({
      type: 'struct',
      fields: [
        { name: 'event_id', type: 'string', nullable: true, metadata: { comment: 'Id.' } },
        { name: 'total', type: 'decimal(18,4)', nullable: true, metadata: {} },
        {
          name: 'lines',
          type: {
            type: 'array',
            elementType: {
              type: 'struct',
              fields: [{ name: 'product_id', type: 'string', nullable: true, metadata: {} }],
            },
            containsNull: true,
          },
          nullable: true,
          metadata: {},
        },
        { name: 'tenant', type: 'string', nullable: true, metadata: {} },
        { name: 'segment', type: 'string', nullable: true, metadata: {} },
        { name: 'date', type: 'date', nullable: true, metadata: {} },
      ],
    });
  });

  test('the same commit again changes nothing; a txn that went on, back or was never seen conflicts', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await table.append(commit('a', 5, undefined));
    expect(await table.append(commit('a', 5, undefined))).toEqual({ version: 0 });
    await expect(table.append(commit('b', 9, undefined))).rejects.toBeInstanceOf(TxnConflictError);
    await expect(table.append(commit('b', 9, 4))).rejects.toBeInstanceOf(TxnConflictError);
    await expect(deltaTable(storage, SPEC).append(commit('b', 9, 6))).rejects.toMatchObject({ code: 'txn_conflict' });
    expect((await table.snapshot()).version).toBe(0);
    expect((await table.snapshot()).files.size).toBe(1);
  });

  test('an instance that has not seen a commit its caller knows of reads it before it judges', async () => {
    const storage = await newLake();
    const stale = deltaTable(storage, SPEC);
    await stale.append(commit('a', 5, undefined));
    await deltaTable(storage, SPEC).append(commit('b', 9, 5));
    expect(await stale.append(commit('c', 12, 9))).toEqual({ version: 2 });
  });

  test('reads only log entries it has not seen', async () => {
    const storage = await newLake();
    const read: string[] = [];
    const get = storage.get.bind(storage);
    storage.get = (path) => {
      if (path.endsWith('.json')) read.push(path.slice(-10));
      return get(path);
    };
    const reader = deltaTable(storage, SPEC);
    const writer = deltaTable(storage, SPEC);
    await writer.append(commit('a', 1, undefined));
    await writer.append(commit('b', 2, 1));
    expect(read).toEqual([]);
    expect((await reader.snapshot()).version).toBe(1);
    expect(read).toEqual(['00000.json', '00001.json']);
    await writer.append(commit('c', 3, 2));
    const [one, two] = await Promise.all([reader.snapshot(), reader.snapshot()]);
    expect([one.version, two.version]).toEqual([2, 2]);
    expect(read).toEqual(['00000.json', '00001.json', '00002.json']);
    expect(await reader.snapshot()).toBe(await reader.snapshot());
  });
});

describe('fence', () => {
  test('an older owner cannot commit once a newer one has fenced, whether its commit was pending or comes later', async () => {
    const storage = await newLake();
    const older = deltaTable(storage, SPEC);
    const newer = deltaTable(storage, SPEC);
    await older.append(commit('a', 5, undefined, { epoch: 1 }));
    expect(await newer.fence({ appId: APP, version: 2, info: {} })).toEqual({ version: 1 });
    await expect(older.append(commit('b', 9, 5, { epoch: 1 }))).rejects.toBeInstanceOf(TxnConflictError);
    await expect(deltaTable(storage, SPEC).append(commit('b', 9, 5, { epoch: 1 }))).rejects.toBeInstanceOf(
      TxnConflictError,
    );
    expect(await newer.append(commit('c', 9, 5, { epoch: 2 }))).toEqual({ version: 2 });
    const snapshot = await newer.snapshot();
    expect([...snapshot.files.keys()]).toEqual([file('a').path, file('c').path]);
    expect(snapshot.txns.get(`${APP}/fence`)).toBe(2);
  });

  test('a writer without an epoch conflicts with a fence that comes in between', async () => {
    const storage = await newLake();
    const older = deltaTable(storage, SPEC);
    await older.append(commit('a', 5, undefined));
    await deltaTable(storage, SPEC).fence({ appId: APP, version: 2, info: {} });
    await expect(older.append(commit('b', 9, 5))).rejects.toBeInstanceOf(TxnConflictError);
  });

  test('fencing again writes nothing, a lower epoch is refused, and a table that did not exist is fenced too', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    expect(await table.fence({ appId: APP, version: 3, info: {} })).toEqual({ version: 0 });
    expect(await table.fence({ appId: APP, version: 3, info: {} })).toEqual({ version: 0 });
    await expect(deltaTable(storage, SPEC).fence({ appId: APP, version: 2, info: {} })).rejects.toBeInstanceOf(
      TxnConflictError,
    );
    await expect(table.append(commit('late', 9, undefined, { epoch: 2 }))).rejects.toBeInstanceOf(TxnConflictError);
    expect((await table.snapshot()).files.size).toBe(0);
    expect((await independently(storage.localPath(SPEC.root)!)).version).toBe(0);
  });
});

describe('schema', () => {
  const wider: TableSpec = {
    ...SPEC,
    columns: [...SPEC.columns, { name: 'coupon', type: 'string', description: 'Coupon.' }],
  };

  test('a new column comes with the commit that first needs it; an older writer leaves it there', async () => {
    const storage = await newLake();
    await deltaTable(storage, SPEC).append(commit('a', 1, undefined));
    await deltaTable(storage, wider).append(commit('b', 2, 1));
    await deltaTable(storage, wider).append(commit('c', 3, 2));
    await deltaTable(storage, SPEC).append(commit('d', 4, 3));
    const { schema } = await independently(storage.localPath(SPEC.root)!);
    const names = (schema as { fields: { name: string }[] }).fields.map((field) => field.name);
    expect(names).toEqual(['event_id', 'total', 'lines', 'tenant', 'segment', 'date', 'coupon']);
    const entries = await readdir(storage.localPath(`${SPEC.root}/_delta_log`)!);
    const withMetaData = await Promise.all(
      entries
        .sort()
        .map(async (name) =>
          (await readFile(storage.localPath(`${SPEC.root}/_delta_log/${name}`)!, 'utf8')).includes('"metaData"'),
        ),
    );
    expect(withMetaData).toEqual([true, true, false, false]);
  });

  test('a field added within a list of structs is merged; a changed type is refused', async () => {
    const storage = await newLake();
    await deltaTable(storage, SPEC).append(commit('a', 1, undefined));
    const lines = { list: { struct: [{ name: 'quantity', type: 'integer' as const }] } };
    const nested: TableSpec = { ...SPEC, columns: [{ name: 'lines', type: lines }] };
    await deltaTable(storage, nested).append(commit('b', 2, 1));
    const { schema } = await independently(storage.localPath(SPEC.root)!);
    const field = (schema as { fields: { name: string; type: { elementType: { fields: { name: string }[] } } }[] })
      .fields[2]!;
    expect(field.type.elementType.fields.map(({ name }) => name)).toEqual(['product_id', 'quantity']);

    const changed: TableSpec = { ...SPEC, columns: [{ name: 'total', type: 'double' }] };
    await expect(deltaTable(storage, changed).append(commit('c', 3, 2))).rejects.toMatchObject({
      code: 'table_schema_conflict',
    });
    expect((await deltaTable(storage, SPEC).snapshot()).version).toBe(1);
  });
});

describe('tables of other tools', () => {
  const PROTOCOL_LINE = '{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}';
  const METADATA_LINE = JSON.stringify({
    metaData: {
      id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
      format: { provider: 'parquet', options: {} },
      schemaString: '{"type":"struct","fields":[]}',
      partitionColumns: [],
      configuration: {},
    },
  });

  async function withLog(entries: Record<string, string[]>): Promise<Table> {
    const storage = await newLake();
    const log = storage.localPath(`${SPEC.root}/_delta_log`)!;
    await mkdir(log, { recursive: true });
    for (const [name, lines] of Object.entries(entries)) await writeFile(join(log, name), lines.join('\n'));
    return deltaTable(storage, SPEC);
  }

  const V0 = '00000000000000000000.json';
  const V1 = '00000000000000000001.json';
  const V2 = '00000000000000000002.json';

  test('unknown actions and fields, checksums and compacted logs are passed over', async () => {
    const table = await withLog({
      [V0]: [PROTOCOL_LINE, METADATA_LINE, '{"domainMetadata":{"domain":"x","configuration":"","removed":false}}', ''],
      [V1]: [
        '{"add":{"path":"a%20b.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"novel":1}}',
      ],
      [V2]: ['{"remove":{"path":"a%20b.parquet","dataChange":true,"deletionTimestamp":7}}', '{"cdc":{}}'],
      '00000000000000000001.crc': ['{}'],
      '00000000000000000000.00000000000000000001.compacted.json': ['not even json'],
    });
    const snapshot = await table.snapshot();
    expect(snapshot.version).toBe(2);
    expect(snapshot.files.size).toBe(0);
    expect(snapshot.tombstones.get('a b.parquet')).toMatchObject({ deletionTimestamp: 7 });
  });

  const add = (more: object): string =>
    JSON.stringify({
      add: { path: 'a', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, ...more },
    });
  const cases: [string, Record<string, string[]>, string, RegExp][] = [
    [
      'a newer reader version',
      {
        [V0]: [
          '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"]}}',
          METADATA_LINE,
        ],
      },
      'table_unsupported',
      /reader version 3/,
    ],
    [
      'deletion vectors',
      { [V0]: [PROTOCOL_LINE, METADATA_LINE, add({ deletionVector: { storageType: 'u' } })] },
      'table_unsupported',
      /deletion vectors/,
    ],
    [
      'a file elsewhere',
      { [V0]: [PROTOCOL_LINE, METADATA_LINE, add({ path: 's3://other/x.parquet' })] },
      'table_unsupported',
      /outside/,
    ],
    [
      'a log that starts at a checkpoint',
      { [V2]: [METADATA_LINE], _last_checkpoint: ['{"version":1,"size":1}'] },
      'table_unsupported',
      /checkpoint/,
    ],
    ['a log that starts late', { [V2]: [METADATA_LINE] }, 'table_corrupt', /starts at entry 2/],
    ['a missing entry', { [V0]: [PROTOCOL_LINE, METADATA_LINE], [V2]: [] }, 'table_corrupt', /entry 1 is missing/],
    ['a line that is not JSON', { [V0]: [PROTOCOL_LINE, METADATA_LINE, '{"add":'] }, 'table_corrupt', /line 3/],
    [
      'an add without its size',
      { [V0]: [PROTOCOL_LINE, METADATA_LINE, '{"add":{"path":"a","partitionValues":{}}}'] },
      'table_corrupt',
      /add.size/,
    ],
    [
      'a path that is not URL-encoded',
      { [V0]: [PROTOCOL_LINE, METADATA_LINE, add({ path: 'a%zz' })] },
      'table_corrupt',
      /URL-encoded/,
    ],
    ['a log without metaData', { [V0]: [PROTOCOL_LINE] }, 'table_corrupt', /no protocol or metaData/],
  ];
  test.each(cases)('%s is refused', async (_what, entries, code, message) => {
    const table = await withLog(entries);
    await expect(table.snapshot()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    await expect(table.append(commit('a', 1, undefined))).rejects.toMatchObject({ code });
  });

  test('a table upgraded for writers is read and not written', async () => {
    const table = await withLog({
      [V0]: ['{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["appendOnly"]}}', METADATA_LINE],
    });
    expect((await table.snapshot()).version).toBe(0);
    await expect(table.append(commit('a', 1, undefined))).rejects.toMatchObject({ code: 'table_unsupported' });
    const invariants = await withLog({
      [V0]: [
        PROTOCOL_LINE,
        METADATA_LINE.replace('[]', '[{\\"name\\":\\"a\\",\\"metadata\\":{\\"delta.invariants\\":\\"x\\"}}]'),
      ],
    });
    await expect(invariants.append(commit('a', 1, undefined))).rejects.toMatchObject({ code: 'table_unsupported' });
  });
});
