import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTableCache } from '../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../lake/files/localFiles.ts';
import { openQueries, type Queries } from '../../query/engine/query.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { newSecret, secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import { createRegistry, type JsonSchema } from '../../schemas/registry.ts';
import { anEvent, messageOf } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';
import { runSpor } from '../support/runScript.ts';
import { until } from '../support/until.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TENANT = 'growing';

let bench: TestPipeline;
let dir: string;
let queries: Queries;
const children: ChildProcess[] = [];

beforeAll(async () => {
  bench = await startTestPipeline();
  dir = await mkdtemp(join(tmpdir(), 'spor-test-schemas-'));
  queries = await openQueries({
    storage: bench.storage,
    tables: createTableCache(bench.storage, createRegistry()),
    registry: createRegistry(),
    localFiles: lakeFolderFiles(bench.storage),
    limits: { memoryMb: 512, threads: 1, timeoutMs: 30_000, maxRows: 100, maxBytes: 1 << 20 },
  });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await queries?.close();
  await bench?.stop();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

/** A copy of the services with other schema files: what an operator has who adds some. */
async function version(name: string, files: Record<string, JsonSchema>): Promise<string> {
  const root = join(dir, name);
  for (const part of ['schemas', 'runtime', 'stream', 'ingest', 'lake', 'processor', 'package.json'])
    await cp(join(ROOT, part), join(root, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const [file, schema] of Object.entries(files))
    await writeFile(join(root, 'schemas', 'events', file), JSON.stringify(schema));
  return root;
}

/** Starts a service; resolves with its port, or with what it said when it ended instead. */
async function start(root: string, service: 'ingest' | 'processor'): Promise<{ port?: number; log: string }> {
  const child = fork(join(root, service, 'main.ts'), [], {
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH,
      NATS_URL: bench.nats.url,
      LAKE_URL: `file:${bench.lakeDir}`,
      WORK_DIR: join(dir, 'work'),
      INGEST_PORT: '0',
      PROCESSOR_PORT: '0',
      WINDOW_MAX_MS: '100',
      LEASE_SECONDS: '2',
    },
  });
  children.push(child);
  let log = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (log += chunk));
  const ready = new Promise<number>((resolve) =>
    child.on('message', (message: { ready?: { port: number } }) => message.ready && resolve(message.ready.port)),
  );
  const port = await Promise.race([ready, once(child, 'close').then(() => undefined)]);
  return { log, ...(port === undefined ? {} : { port }) };
}

async function schemaFile(name: string): Promise<JsonSchema & { properties: Record<string, JsonSchema> }> {
  const text = await readFile(join(ROOT, 'schemas', 'events', name), 'utf8');
  return JSON.parse(text) as JsonSchema & { properties: Record<string, JsonSchema> };
}

async function ask(sql: string): Promise<unknown[][]> {
  return (await queries.run({ tenantId: TENANT, segmentIds: [], sql })).rows;
}

test('a new type and an added field become columns, without a restart of readers; what does not fit is refused', async () => {
  const before = await bench.processor();
  await bench.publish(messageOf(TENANT, 'web', [{ events: [anEvent(0)] }]));
  await bench.settled();
  expect(await ask('SELECT count(*) FROM events')).toEqual([[1]]);
  await before.kill('SIGTERM');

  const search = await schemaFile('Search.v2.json');
  const wish = await schemaFile('ProductClicked.v2.json');
  wish.properties = { type: { const: 'WishAdded' }, wishlist: { type: 'string', maxLength: 100 } };
  wish.required = ['wishlist'];
  search.properties.device = { type: 'string', maxLength: 20, description: 'Kind of device.' };
  const grown = await version('grown', { 'Search.v3.json': search, 'WishAdded.v1.json': wish });
  expect((await start(grown, 'processor')).port).toBeGreaterThan(0);
  const { port } = await start(grown, 'ingest');
  const key = newSecret('ik');
  const keys = await openSecretStore<KeyRecord>(bench.connection, KEYS_BUCKET, 1);
  const record = { tenantId: TENANT, segmentId: 'web', kind: 'server', origins: [], label: '' } as const;
  await keys.create(secretHash(key), { ...record, origins: [], createdAt: new Date().toISOString() });
  const common = { timestamp: new Date().toISOString(), sessionId: 's' };
  const events = [
    { ...anEvent(0), device: 'phone' },
    { ...common, eventId: crypto.randomUUID(), type: 'WishAdded', wishlist: 'birthday' },
  ];
  const post = (): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/api/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': key },
      body: JSON.stringify({ events }),
    });
  let answer = await post();
  await until(async () => answer.status !== 401 || ((answer = await post()), answer.status !== 401));
  expect([answer.status, await answer.json()]).toMatchObject([202, { accepted: 2, rejected: [] }]);
  await bench.settled();

  // The same queries as before the change: files from before read with nulls.
  expect(await ask('SELECT type, device, wishlist FROM events ORDER BY received_at, type')).toEqual([
    ['Search', null, null],
    ['Search', 'phone', null],
    ['WishAdded', null, 'birthday'],
  ]);
  const { metaData } = await bench.table('events', TENANT).snapshot();
  expect(metaData!.schemaString).toContain('"name":"wishlist","type":"string","nullable":true');

  const shrunk = await version('shrunk', {
    'Search.v3.json': { ...search, required: ['phrase', 'resultsCount', 'page'] },
    'WishAdded.v1.json': wish,
  });
  for (const [root, service, fault] of [
    [ROOT, 'processor', 'WishAdded v1 is in use and not here'],
    [ROOT, 'ingest', 'Search v3 is in use and not here, where Search v2 is the latest'],
    [shrunk, 'ingest', 'field page is required now (Search v3 in use, Search v3 here)'],
    [shrunk, 'processor', 'field page is required now (Search v3 in use, Search v3 here)'],
  ] as const) {
    const refused = await start(root, service);
    expect(refused.port).toBeUndefined();
    expect(refused.log).toContain(fault);
  }

  const spor = (...args: string[]) => runSpor(['schemas', ...args], { env: { NATS_URL: bench.nats.url } });
  const shown = await spor();
  expect([shown.code, shown.stdout]).toEqual([1, expect.stringMatching(/WishAdded v1 is in use/) as string]);
  expect((await spor('accept')).code).toBe(0);
  expect((await start(ROOT, 'processor')).port).toBeGreaterThan(0);
});
