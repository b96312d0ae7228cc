import { Writable } from 'node:stream';
import { jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { readIngestConfig } from '../../ingest/config.ts';
import { startIngest } from '../../ingest/service.ts';
import { Resources } from '../../runtime/resources.ts';
import { secretHash } from '../../schemas/keys.ts';
import { parseReceipt } from '../../schemas/receipt.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { anEvent, log, makeKey, startReceiver, type Receiver } from './receiver.ts';

/** As long as a request may wait for its acknowledgement, at most. */
const DEADLINE_MS = 30_000;
/** Without the stream server keys cannot be followed either; a busy machine may notice that first. */
const UNAVAILABLE = ['stream_unavailable', 'keys_unavailable'];
const SHARD = shardOf('demo-shop', 4);
let nats: TestNats | undefined;
let receiver: Receiver | undefined;

afterEach(async () => {
  // The stream server must be there, or closing waits for what it will never confirm.
  await nats?.kill('SIGCONT');
  await receiver?.close();
  await nats?.stop();
  nats = receiver = undefined;
});

async function setUp(env: Record<string, string> = {}): Promise<{ nats: TestNats; receiver: Receiver; key: string }> {
  nats = await startNats();
  // An operator, because some tests delete streams without a processor that would make them again.
  receiver = await startReceiver(nats.url, { env, role: 'operator' });
  return { nats, receiver, key: await receiver.createKey() };
}

interface Sent {
  status: number;
  code?: string;
  receiptId?: string;
  retryAfter: string | null;
  ms: number;
  event: Record<string, unknown>;
}

async function send(to: Receiver, key: string): Promise<Sent> {
  const event = anEvent();
  const from = performance.now();
  const response = await to.post({ instrumentationKey: key, events: [event] });
  const answer = (await response.json()) as { code?: string; receiptId?: string };
  const retryAfter = response.headers.get('retry-after');
  return { status: response.status, retryAfter, ms: performance.now() - from, event, ...answer };
}

async function expectStored(at: Receiver, sent: Sent[]): Promise<void> {
  const events = (await at.stored()).flatMap((batch) => batch.events.map((event) => event.eventId));
  for (const { receiptId, event } of sent) {
    expect((await at.resolve(receiptId!)).events).toEqual([{ i: 0, v: 2, ...event }]);
    expect(events.filter((id) => id === event.eventId)).toHaveLength(1);
  }
}

describe('while the stream server is away', () => {
  it('answers 503 at once, never 202, and recovers by itself with every 202 kept', async () => {
    const { nats, receiver, key } = await setUp({ INGEST_ACK_DEADLINE_MS: String(DEADLINE_MS) });
    const sent: Sent[] = [];
    let sending = true;
    const sender = async (): Promise<void> => {
      while (sending) {
        sent.push(await send(receiver, key));
        if (sent.at(-1)!.status !== 202) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const senders = Promise.all(Array.from({ length: 16 }, sender));
    const answered = (status: number): number => sent.filter((one) => one.status === status).length;
    await until(() => answered(202) > 100);

    await nats.kill('SIGKILL');
    // What was under way waits for its deadline, in case the server comes back; what comes now is told at once.
    await until(async () => (await send(receiver, key)).status === 503);
    const away = await send(receiver, key);
    expect(away).toMatchObject({ status: 503, retryAfter: '1' });
    expect(away.code).toBeOneOf(UNAVAILABLE);
    expect(away.ms, 'it has not waited for its deadline').toBeLessThan(DEADLINE_MS);
    const ready = await fetch(`${receiver.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('not connected')]);
    expect((await fetch(`${receiver.url}/healthz`)).status).toBe(200);

    const before = answered(202);
    await nats.restart();
    await until(() => answered(202) > before + 100);
    sending = false;
    await senders;
    await until(async () => (await fetch(`${receiver.url}/readyz`)).ok);
    await expectStored(
      receiver,
      sent.filter(({ status }) => status === 202),
    );
    expect(sent.filter(({ status }) => status !== 202 && status !== 503)).toEqual([]);
  });

  it('goes on with the keys it knows, and follows changes again once it is back', async () => {
    const { nats, receiver, key } = await setUp();
    await nats.kill('SIGKILL');
    await until(async () => (await send(receiver, key)).status === 503);
    await until(async () => (await receiver.metric('spor_ingest_keys_stale_seconds')) > 0);
    expect(await receiver.metric('spor_ingest_keys')).toBe(1);
    await nats.restart();
    await until(async () => (await send(receiver, key)).status === 202);
    await until(async () => (await receiver.connection.flush(), true)); // this test's own connection
    await receiver.keys.update(secretHash(key), (record) => ({ ...record, revokedAt: new Date().toISOString() }));
    await until(async () => (await send(receiver, key)).code === 'key_revoked');
    const next = await makeKey(receiver.keys);
    await until(async () => (await send(receiver, next)).status === 202);
    await until(async () => (await receiver.metric('spor_ingest_keys_stale_seconds')) === 0);
  });

  it('a POST that was under way is stored once it is back, once', async () => {
    const { nats, receiver, key } = await setUp({ INGEST_ACK_DEADLINE_MS: '30000' });
    const keys = [key];
    // Several subjects in one shard: these go out as one atomic batch, and by themselves when that got no answer.
    for (let n = 0; n < 20; n++) keys.push(await receiver.createKey({ segmentId: `segment-${n}` }));
    await nats.kill('SIGSTOP');
    const answered: Sent[] = [];
    const sending = keys.flatMap((each) => Array.from({ length: 2 }, () => send(receiver, each)));
    for (const sent of sending) void sent.then((one) => answered.push(one));
    await until(
      async () => (await receiver.metric('spor_ingest_in_flight_requests')) === sending.length - answered.length,
    );
    await nats.restart();
    const sent = await Promise.all(sending);
    expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 202));
    await expectStored(receiver, sent);
  });

  it('that does not answer, a POST is told so at the deadline, and what it still stores is stored once', async () => {
    const { nats, receiver, key } = await setUp({ INGEST_ACK_DEADLINE_MS: '400' });
    await nats.kill('SIGSTOP');
    let sent!: Sent;
    await until(async () => (sent = await send(receiver, key)).status !== 202); // a signal takes a moment
    expect(sent).toMatchObject({ status: 503, retryAfter: '1' });
    expect(sent.code).toBeOneOf(UNAVAILABLE);
    expect(sent.ms > 350 || sent.code === 'keys_unavailable', 'it has waited for its deadline').toBe(true);
    // Refused events that could not be put in the quarantine are not answered as refused: they would be lost.
    const refused = await receiver.post({ instrumentationKey: key, events: [{ type: 'Nonsense' }] });
    const broken = await receiver.post('{', { headers: { 'x-instrumentation-key': key } });
    expect([refused.status, broken.status]).toEqual([503, 503]);
    await nats.kill('SIGCONT');
    await until(async () => (await send(receiver, key)).status === 202);
    const ids = (await receiver.stored()).flatMap(({ events }) => events.map(({ eventId }) => eventId));
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('a receiver started before its stream server', () => {
  it('says so, and takes events when it comes', async () => {
    nats = await startNats();
    await nats.kill('SIGKILL');
    const resources = new Resources();
    const config = readIngestConfig({ INGEST_PORT: '0', NATS_URL: nats.url });
    let port = 0;
    const starting = startIngest({ config, log, resources, onListening: (listening) => (port = listening) });
    await until(() => port > 0);
    const url = `http://127.0.0.1:${port}`;
    const post = await fetch(`${url}/api/events`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'text/plain' },
    });
    expect([post.status, post.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await post.json()).toMatchObject({ code: 'keys_unavailable' });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await nats.restart();
    await starting;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await resources.close();
  });
});

describe('a stream', () => {
  it('deleted while in use: is made anew, and no receipt points into the wrong one', async () => {
    const { receiver, key } = await setUp();
    const manager = await jetstreamManager(receiver.connection);
    const before = await send(receiver, key);
    await manager.streams.delete(streamName(SHARD));
    let after!: Sent;
    await until(async () => (after = await send(receiver, key)).status === 202);
    expect(parseReceipt(after.receiptId!)!.sequence).toBeLessThan(3);
    await expectStored(receiver, [after]);
    await expect(receiver.resolve(before.receiptId!)).rejects.toThrow('of another stream');
  });

  it('that is full: 503, one line in the log an operator understands, and events again when there is room', async () => {
    nats = await startNats();
    const lines: string[] = [];
    const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
    receiver = await startReceiver(nats.url, {
      env: { STREAM_MAX_BYTES: '1048576' },
      logger: pino({ level: 'warn' }, sink),
    });
    const key = await receiver.createKey();
    const fill = async (): Promise<number> => {
      const events = Array.from({ length: 20 }, () => anEvent('Search', { properties: { fill: 'x'.repeat(10_000) } }));
      return (await receiver!.post({ instrumentationKey: key, events })).status;
    };
    await until(async () => (await fill()) === 503);
    expect(await send(receiver, key).then(({ code }) => code)).toBeOneOf(['stream_unavailable', undefined]);
    await fill();
    const errors = lines.map((line) => JSON.parse(line) as { level: number; msg: string; shard: number });
    const full = errors.filter(({ msg }) => msg.startsWith('a stream is full and takes no events until the processor'));
    expect(full).toHaveLength(1);
    expect(full[0]).toMatchObject({ level: 50, shard: SHARD });
    await (await jetstreamManager(receiver.connection)).streams.purge(streamName(SHARD));
    expect(await fill()).toBe(202);
  });
});
