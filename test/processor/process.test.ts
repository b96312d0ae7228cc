import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../scripts/freePort.ts';
import { asRole } from '../support/locks.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';

const MAIN = fileURLToPath(new URL('../../processor/main.ts', import.meta.url));

let dir: string;
let nats: TestNats;
const running: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-processor-'));
  nats = await startNats();
});

afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL'); // ended already, unless a test failed
  await nats.stop();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

interface StartedProcessor {
  readyz: () => Promise<{ code: number; reason?: string }>;
  /** Resolves when it says over IPC that it works. */
  ready: Promise<{ port: number; id: string }>;
  /** SIGTERM; resolves with the exit code. */
  stop: () => Promise<number | null>;
}

async function start(env: Record<string, string> = {}): Promise<StartedProcessor> {
  const port = await freePort();
  const child = fork(MAIN, [], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      NATS_URL: asRole(nats.url, 'processor'),
      LAKE_URL: `file:${join(dir, 'lake')}`,
      WORK_DIR: join(dir, 'work'),
      PROCESSOR_PORT: String(port),
      DUCKDB_MEMORY: '256MiB',
      LOG_LEVEL: 'error',
      ...env,
    },
  });
  running.push(child);
  return {
    readyz: async () => {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      if (!response) return { code: 0 };
      const { reason } = (await response.json()) as { reason?: string };
      return { code: response.status, ...(reason === undefined ? {} : { reason }) };
    },
    ready: once(child, 'message').then(([message]) => (message as { ready: { port: number; id: string } }).ready),
    stop: async () => {
      const exited = once(child, 'exit') as Promise<[number | null]>;
      child.kill('SIGTERM');
      return (await exited)[0];
    },
  };
}

const WAITING = { code: 503, reason: 'waiting for the stream server' };

test('started before nats-server, it says so and becomes ready once nats-server is there', async () => {
  await nats.kill('SIGKILL');
  const processor = await start();
  await until(async () => (await processor.readyz()).reason === WAITING.reason);
  expect(await processor.readyz()).toEqual(WAITING);
  await nats.restart();
  expect(await processor.ready).toMatchObject({ id: expect.any(String) as string });
  await until(async () => (await processor.readyz()).code === 200);
  expect(await processor.stop()).toBe(0);
});

test('it stops cleanly by SIGTERM while it waits for nats-server', async () => {
  await nats.kill('SIGKILL');
  const processor = await start();
  await until(async () => (await processor.readyz()).reason === WAITING.reason);
  expect(await processor.stop()).toBe(0);
});

test('it stops cleanly by SIGTERM while a connected nats-server does not answer', async () => {
  const silent = await startSilentNats();
  try {
    const processor = await start({ NATS_URL: silent.url });
    await until(async () => (await processor.readyz()).reason === 'waiting for the rights of this identity');
    expect(await processor.stop()).toBe(0);
  } finally {
    silent.stop();
  }
});

/** Greets and answers pings as nats-server does, and nothing else: JetStream has no leader yet. */
async function startSilentNats(): Promise<{ url: string; stop: () => void }> {
  const info = {
    server_id: 'silent',
    version: '2.12.0',
    proto: 1,
    headers: true,
    max_payload: 8 << 20,
    jetstream: true,
  };
  const server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on('data', (data) => data.includes('PING') && socket.write('PONG\r\n'));
    socket.on('error', () => undefined); // the processor is killed where a test fails
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`, stop: () => server.close() };
}
