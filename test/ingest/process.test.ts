import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { freePort } from '../../scripts/freePort.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { anEvent, log, look, makeKey, postTo, type Receiver } from './receiver.ts';

const MAIN = fileURLToPath(new URL('../../ingest/main.ts', import.meta.url));

let nats: TestNats;
let connection: NatsConnection;
let stream: Pick<Receiver, 'keys' | 'stored' | 'resolve'>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log });
  stream = await look(connection, 4);
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

afterAll(async () => {
  await connection?.close();
  await nats?.stop();
});

interface IngestProcess {
  child: ChildProcess;
  port: number;
  url: string;
  exit: Promise<number | null>;
  stderr: () => string;
}

/** A real process of the Event Receiver; resolves when it says that it is ready. */
async function start(env: Record<string, string> = {}): Promise<IngestProcess> {
  const { child, stderr } = launch({ NATS_URL: nats.url, INGEST_PORT: '0', ...env });
  const [{ ready }] = (await once(child, 'message')) as [{ ready: { port: number } }];
  // Only with its output closed has all been read that it said.
  const exit = once(child, 'close').then(([code]) => code as number | null);
  return { child, port: ready.port, url: `http://127.0.0.1:${ready.port}`, exit, stderr };
}

function launch(env: Record<string, string>): { child: ChildProcess; stderr: () => string } {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let stderr = '';
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return { child, stderr: () => stderr };
}

describe('the process', () => {
  it('told to stop, answers what is under way, then ends with 0', async () => {
    const ingest = await start();
    const key = await makeKey(stream.keys);
    const post = postTo(ingest.url);
    await until(async () => (await post({ instrumentationKey: key, events: [anEvent()] })).status === 202);

    // A body half sent when the signal comes.
    const event = anEvent();
    const body = JSON.stringify({ instrumentationKey: key, events: [event] });
    const slow = connect(ingest.port, '127.0.0.1');
    let answer = '';
    slow.on('data', (chunk) => (answer += chunk.toString()));
    const closed = once(slow, 'close');
    slow.write(
      `POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    slow.write(body.slice(0, 50));
    await until(async () =>
      (await (await fetch(`${ingest.url}/metrics`)).text()).includes('in_flight_requests{component="ingest"} 1'),
    );

    // And many requests sent around the moment it comes.
    let stopped = false;
    const outcomes: { status: number; event: Record<string, unknown>; receiptId?: string }[] = [];
    const send = async (): Promise<void> => {
      while (!stopped) {
        const sent = anEvent();
        try {
          const response = await post({ instrumentationKey: key, events: [sent] });
          const { receiptId } = (await response.json()) as { receiptId?: string };
          outcomes.push({ status: response.status, event: sent, ...(receiptId ? { receiptId } : {}) });
        } catch {
          return; // refused connection: it no longer listens
        }
      }
    };
    const sending = Promise.all(Array.from({ length: 8 }, send));
    await until(() => outcomes.length > 50);
    ingest.child.kill('SIGTERM');
    await sending;
    stopped = true;
    slow.write(body.slice(50));
    await closed;

    expect(await ingest.exit).toBe(0);
    expect(answer).toMatch(/^HTTP\/1.1 202 /);
    expect(answer).toMatch(/connection: close/i);
    expect(outcomes.filter(({ status }) => status !== 202 && status !== 503)).toEqual([]);
    const stored = new Set((await stream.stored()).flatMap(({ events }) => events.map(({ eventId }) => eventId)));
    const lost = outcomes.filter(({ status, event: sent }) => status === 202 && !stored.has(sent.eventId));
    expect(lost).toEqual([]);
    expect(stored.has(event.eventId)).toBe(true);
    expect(ingest.stderr()).toContain('"stopped"');
  });

  it('told to stop, says so on /readyz before it stops listening', async () => {
    const ingest = await start({ INGEST_DRAIN_SECONDS: '5' });
    const key = await makeKey(stream.keys);
    const post = postTo(ingest.url);
    await until(async () => (await post({ instrumentationKey: key, events: [anEvent()] })).status === 202);
    ingest.child.kill('SIGTERM');
    await until(async () => (await fetch(`${ingest.url}/readyz`)).status === 503);
    expect((await post({ instrumentationKey: key, events: [anEvent()] })).status).toBe(202);
    expect(await ingest.exit).toBe(0);
  });

  it('refuses on a kept connection what comes after it stopped listening, and says to go elsewhere', async () => {
    const ingest = await start();
    const key = await makeKey(stream.keys);
    await until(
      async () => (await postTo(ingest.url)({ instrumentationKey: key, events: [anEvent()] })).status === 202,
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = (): Promise<{ status: number; headers: Record<string, unknown> }> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json' };
        const sent = request(`${ingest.url}/api/events`, { method: 'POST', agent, headers }, (response) => {
          response.resume().on('end', () => resolve({ status: response.statusCode!, headers: response.headers }));
        });
        sent.on('error', reject).end(JSON.stringify({ instrumentationKey: key, events: [anEvent()] }));
      });
    expect((await kept()).status).toBe(202);
    // A half-sent body keeps the process from ending.
    const slow = connect(ingest.port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write('POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
    await until(async () =>
      (await (await fetch(`${ingest.url}/metrics`)).text()).includes('in_flight_requests{component="ingest"} 1'),
    );
    ingest.child.kill('SIGTERM');
    await until(() =>
      fetch(`${ingest.url}/healthz`, { headers: { connection: 'close' } }).then(
        () => false,
        () => true,
      ),
    );
    expect(await kept()).toMatchObject({ status: 503, headers: { 'retry-after': '1', connection: 'close' } });
    slow.destroy();
    expect(await ingest.exit).toBe(0);
    agent.destroy();
  });

  it('shares its port with others of its kind, when told to', async () => {
    const port = String(await freePort());
    const first = await start({ INGEST_PORT: port });
    const stranger = launch({ NATS_URL: nats.url, INGEST_PORT: port });
    expect((await once(stranger.child, 'close'))[0]).toBe(1);
    expect(stranger.stderr()).toContain(`cannot listen on 127.0.0.1:${port}: it is in use`);
    const second = await start({ INGEST_PORT: port, INGEST_SHARE_PORT: 'true' });
    const key = await makeKey(stream.keys);
    const post = postTo(first.url);
    await until(async () => (await post({ instrumentationKey: key, events: [anEvent()] })).status === 202);
    first.child.kill('SIGTERM');
    expect(await first.exit).toBe(0);
    await until(async () => (await post({ instrumentationKey: key, events: [anEvent()] })).status === 202);
    second.child.kill('SIGTERM');
    expect(await second.exit).toBe(0);
  });

  it('killed in mid-load, has stored every event it answered 202 for', async () => {
    const ingest = await start();
    const key = await makeKey(stream.keys);
    const post = postTo(ingest.url);
    await until(async () => (await post({ instrumentationKey: key, events: [anEvent()] })).status === 202);
    const accepted: unknown[] = [];
    const send = async (): Promise<void> => {
      for (;;) {
        const event = anEvent();
        try {
          if ((await post({ instrumentationKey: key, events: [event] })).status === 202) accepted.push(event.eventId);
        } catch {
          return;
        }
      }
    };
    const sending = Promise.all(Array.from({ length: 16 }, send));
    await until(() => accepted.length > 200);
    ingest.child.kill('SIGKILL');
    await sending;
    const stored = new Set((await stream.stored()).flatMap(({ events }) => events.map(({ eventId }) => eventId)));
    expect(accepted.filter((id) => !stored.has(id as string))).toEqual([]);
  });

  it('told to stop while the stream server is away, ends with 0 all the same', async () => {
    const away = await startNats();
    try {
      const ingest = await start({ NATS_URL: away.url, INGEST_ACK_DEADLINE_MS: '500' });
      await away.kill('SIGKILL');
      await until(async () => (await fetch(`${ingest.url}/readyz`)).status === 503);
      ingest.child.kill('SIGTERM');
      expect(await ingest.exit, ingest.stderr()).toBe(0);
      // One that never found it.
      const port = await freePort();
      const waiting = launch({ NATS_URL: away.url, INGEST_PORT: String(port) });
      await until(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 503);
      waiting.child.kill('SIGTERM');
      expect((await once(waiting.child, 'close'))[0]).toBe(0);
    } finally {
      await away.stop();
    }
  });

  it('with a wrong setting, ends with 78 and names every fault', async () => {
    const { child, stderr } = launch({ INGEST_PORT: 'http', SPOR_SHARDS: '0' });
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(78);
    expect(stderr()).toMatch(/INGEST_PORT=http is not a whole number, 0 to 65535/);
    expect(stderr()).toMatch(/SPOR_SHARDS=0 is not/);
  });
});
