import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../../stream/nats.ts';
import { openSecretStore, type SecretStore } from '../../../stream/secretStore.ts';
import { newSecret, secretHash, type TokenRecord } from '../../../schemas/keys.ts';
import { TOKENS_BUCKET } from '../../../stream/buckets.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { startNats, type TestNats } from '../../support/nats.ts';
import { until } from '../../support/until.ts';
import { commitRows } from '../../support/lakeFixture.ts';

const MAIN = fileURLToPath(new URL('../../../query/main.ts', import.meta.url));
const OPEN_FILES = 400;
const SLOW = 'select count(*) from range(10000000000000)';

let dir: string;
let nats: TestNats;
let connection: NatsConnection;
let tokens: SecretStore<TokenRecord>;
let child: ChildProcess;
let url: string;
let log = '';
/** Said nothing since the start of the server. */
let silent: Socket;
const sockets: Socket[] = [];
const byTenant: Record<string, string> = {};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-callers-'));
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  const storage = await openLocalStorage(join(dir, 'lake'));
  for (const tenantId of ['one', 'two', 'three', 'quiet']) {
    await commitRows(storage, tenantId, [{ type: 'Search', event_id: 'e', event_time: '2026-11-23T10:00:00Z' }]);
    byTenant[tenantId] = await createToken({ tenantId, segmentIds: [], label: '', createdAt: NOW });
  }
  const command = `ulimit -n ${OPEN_FILES}; exec "$0" --disable-warning=ExperimentalWarning ${MAIN}`;
  child = spawn('sh', ['-c', command, process.execPath], {
    env: {
      PATH: process.env.PATH,
      NATS_URL: nats.url,
      LAKE_URL: `file:${join(dir, 'lake')}`,
      LAKE_PORT: '0',
      LAKE_QUEUED_QUERIES: '4',
      LAKE_QUERY_TIMEOUT_MS: '1500',
      LOG_LEVEL: 'debug',
      WORK_DIR: join(dir, 'work'),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'close').then(() => Promise.reject(new Error(log))),
  ])) as [{ ready: { url: string } }];
  url = message.ready.url;
  silent = await open();
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  if (child && child.exitCode === null) {
    const exited = once(child, 'close');
    child.kill('SIGTERM');
    await exited;
  }
  await connection?.close();
  await nats?.stop();
  await rm(dir, { recursive: true, force: true });
});

const NOW = new Date().toISOString();

async function createToken(record: TokenRecord): Promise<string> {
  const token = newSecret('rt');
  await tokens.create(secretHash(token), record);
  return token;
}

async function open(): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined); // the server may close it
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function ask(tenantId: string, sql: string): Promise<{ status: number; rows?: unknown[][]; code?: string }> {
  const response = await fetch(`${url}/api/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${byTenant[tenantId]}` },
    body: JSON.stringify({ sql }),
  });
  return { status: response.status, ...((await response.json()) as { rows?: unknown[][]; code?: string }) };
}

const metrics = (): Promise<Response> => fetch(`${url}/metrics`);

test('more silent connections than open files leave the lake readable', async () => {
  for (let opened = 0; opened < 2 * OPEN_FILES; opened += 50) {
    await Promise.all(Array.from({ length: 50 }, () => open()));
    expect(await ask('quiet', 'select count(*) from events')).toMatchObject({ status: 200, rows: [[1]] });
  }
  expect(log).not.toContain('EMFILE');
});

test('three flooding tenants give a fourth no 429', async () => {
  const flood = ['one', 'two', 'three'].flatMap((tenantId) => Array.from({ length: 6 }, () => ask(tenantId, SLOW)));
  await until(async () => /queries_waiting\{[^}]*\} [4-9]/.test(await (await metrics()).text()));
  expect(await ask('quiet', 'select 42')).toMatchObject({ status: 200, rows: [[42]] });
  const codes = (await Promise.all(flood)).map(({ code }) => code);
  expect(codes).toContain('too_many_queries');
});

test.each([
  ['says how much is to come', 'Content-Length: 1000', '{"sql":'],
  ['sends chunks', 'Transfer-Encoding: chunked', '7\r\n{"sql":\r\n'],
])('a caller who leaves while sending is no fault of the server (%s)', async (_how, length, body) => {
  const before = await counted('query_cancelled');
  const socket = await open();
  const head = `POST /api/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${byTenant.quiet}`;
  socket.write(`${head}\r\nContent-Type: application/json\r\n${length}\r\n\r\n${body}`, () => socket.resetAndDestroy());
  await until(async () => (await counted('query_cancelled')) === before + 1);
  expect(await counted('internal')).toBe(0);
  expect(log).not.toMatch(/"level":50/);
});

async function counted(code: string): Promise<number> {
  const text = await (await metrics()).text();
  return Number(new RegExp(`requests_total\\{route="/api/query",code="${code}"[^}]*\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

test('a connection that says nothing is closed', async () => {
  await until(() => silent.destroyed);
  const { hostname, port } = new URL(url);
  const late = connect(Number(port), hostname);
  late.write('POST /api/query HTTP/1.1\r\nHost:');
  await once(late.resume(), 'close');
  expect(late.destroyed).toBe(true);
});

test('a token whose bodies never end holds a part of the connections, and nobody else up', async () => {
  const head = `POST /api/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${byTenant.one}`;
  const answers: string[] = [];
  for (let sent = 0; sent < 150; sent++) {
    const socket = await open();
    socket.on('data', (chunk: Buffer) => answers.push(chunk.toString()));
    socket.write(`${head}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`);
  }
  await until(() => answers.length >= 150 - 64);
  expect(new Set(answers.map((answer) => answer.split('\r\n')[0]))).toEqual(
    new Set(['HTTP/1.1 429 Too Many Requests']),
  );
  expect(await ask('quiet', 'select 42')).toMatchObject({ status: 200, rows: [[42]] });
  for (const socket of sockets.splice(1)) socket.destroy();
  await until(async () => (await ask('one', 'select 42')).status === 200);
});
