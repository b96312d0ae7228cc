import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { anEvent, messageOf, uuid7, type TestEvent } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';

let bench: TestPipeline;

beforeEach(async () => {
  bench = await startTestPipeline();
});
afterEach(() => bench.stop());

const send = (
  events: TestEvent[],
  over: { tenant?: string; segment?: string; receivedAt?: Date } = {},
): Promise<number> => {
  const { tenant = 'shop', segment = 'web', receivedAt } = over;
  return bench.publish(messageOf(tenant, segment, [{ events, ...(receivedAt ? { receivedAt } : {}) }]));
};

async function storedIds(tenant = 'shop'): Promise<string[]> {
  return (await bench.rows('events', tenant, 'event_id')).map((row) => String(row.event_id)).sort();
}

async function committed(key: string): Promise<number> {
  let total = 0;
  const { version } = await bench.table('events', 'shop').snapshot();
  for (let at = 0; at <= version; at++) {
    const entry = await bench.storage.get(`events/tenant=shop/_delta_log/${String(at).padStart(20, '0')}.json`);
    for (const line of Buffer.from(entry!).toString().split('\n').filter(Boolean)) {
      const { commitInfo } = JSON.parse(line) as { commitInfo?: Record<string, unknown> };
      total += Number(commitInfo?.[key] ?? 0);
    }
  }
  return total;
}

test.each(['version 7', 'version 4'])(
  'a resend is dropped in the same window, in later ones and after restarts: %s',
  async (version) => {
    const newId = (): string => (version === 'version 7' ? uuid7() : randomUUID());
    const events = Array.from({ length: 50 }, (_, index) => anEvent(index, new Date(), { eventId: newId() }));
    const ids = events.map(({ eventId }) => eventId).sort();
    // In one window: twice in a batch, in capitals, in another segment, on another date.
    await send(events);
    await send([...events.slice(0, 10), ...events.slice(0, 10)]);
    await send(events.slice(10, 20).map((event) => ({ ...event, eventId: event.eventId.toUpperCase() })));
    await send(events.slice(20, 30), { segment: 'app' });
    await send(events.slice(30, 40).map((event) => ({ ...event, timestamp: '2026-11-01T00:00:00Z' })));
    const first = await bench.processor();
    await bench.settled();
    expect(await storedIds()).toEqual(ids);
    // In later windows of the same owner.
    await send(events);
    await bench.settled();
    await send([anEvent(0, new Date(), { eventId: newId() }), ...events.slice(0, 5)]);
    await bench.settled();
    expect(await storedIds()).toHaveLength(51);
    // Of another owner, that knows only the lake.
    await first.kill('SIGKILL');
    await send(events);
    const second = await bench.processor();
    await bench.settled();
    expect(await storedIds()).toHaveLength(51);
    await second.kill('SIGTERM');
    await send(events.map((event) => ({ ...event, eventId: event.eventId.toUpperCase() })));
    await bench.processor();
    await bench.settled();
    expect(await storedIds()).toHaveLength(51);
    // First in stream order wins, and everything is accounted for.
    expect(await committed('accepted')).toBe(50 + 20 + 10 + 10 + 10 + 50 + 6 + 50 + 50);
    expect(await committed('stored')).toBe(51);
    expect(await committed('duplicate')).toBe((await committed('accepted')) - 51);
    expect(
      await bench.rows('events', 'shop', 'segment').then((rows) => rows.every((row) => row.segment === 'web')),
    ).toBe(true);
  },
);

test('another tenant may use the same id', async () => {
  const event = anEvent(0);
  await send([event]);
  await send([event], { tenant: 'other' });
  await bench.processor();
  await bench.settled();
  expect(await storedIds()).toEqual([event.eventId]);
  expect(await storedIds('other')).toEqual([event.eventId]);
});

test.each([26, -87_600])(
  'a receiver whose clock is %d hours off stores no resend twice, in later windows and after a takeover',
  async (hours) => {
    const [byOff, byRight] = [anEvent(0), anEvent(1, new Date(), { eventId: randomUUID() })];
    const off = { receivedAt: new Date(Date.now() + hours * 3_600_000) };
    const owner = await bench.processor();
    const sendAlone = async (events: TestEvent[], over: { receivedAt?: Date } = {}): Promise<void> => {
      await send(events, over);
      await bench.settled();
    };
    await sendAlone([byOff], off);
    await sendAlone([byRight]);
    await sendAlone([byOff]);
    await owner.kill('SIGTERM');
    // The next owner knows only the lake. Each resend comes by the other receiver.
    const next = await bench.processor();
    await sendAlone([byRight], off);
    await sendAlone([byOff]);
    await sendAlone([byOff, byRight], off);
    await next.kill('SIGTERM');
    expect(await storedIds()).toEqual([byOff.eventId, byRight.eventId].sort());
    expect(await committed('duplicate')).toBe(5);
  },
);

test('with next to no memory for ids, files are looked into instead', async () => {
  const events = Array.from({ length: 4_000 }, (_, index) => anEvent(index, new Date(), { eventId: randomUUID() }));
  const env = { DEDUPE_MAX_BYTES: '1048576', SPOR_SHARDS: '4' };
  await send(events.slice(0, 800));
  const first = await bench.processor(env);
  for (let at = 800; at < events.length; at += 800) {
    await send(events.slice(at, at + 800));
    await bench.settled();
  }
  await first.kill('SIGTERM');
  await bench.processor({ ...env, DEDUPE_MAX_BYTES: '1048576' });
  for (let at = 0; at < events.length; at += 1_000) {
    await send(events.slice(at, at + 1_000));
    await bench.settled();
  }
  expect(await storedIds()).toEqual(events.map(({ eventId }) => eventId).sort());
});
