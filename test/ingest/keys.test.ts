import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Quota } from '../../ingest/keys/quota.ts';
import { secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { anEvent, makeKey, startReceiver, type Receiver } from './receiver.ts';

let nats: TestNats;
let receiver: Receiver;
let nowMs: number | undefined;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url, { clock: () => nowMs ?? Date.now() });
});

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

async function send(
  key: string | undefined,
  events = 1,
): Promise<{ status: number; code?: string; retryAfter: string | null }> {
  const body = { instrumentationKey: key, events: Array.from({ length: events }, () => anEvent()) };
  const response = await receiver.post(body);
  const { code } = (await response.json()) as { code?: string };
  return { status: response.status, ...(code ? { code } : {}), retryAfter: response.headers.get('retry-after') };
}

const change = (key: string, fields: Partial<KeyRecord>): Promise<unknown> =>
  receiver.keys.update(secretHash(key), (record) => ({ ...record, ...fields }));

describe('a key', () => {
  it('must be given, known, and the same wherever it is given', async () => {
    expect(await send(undefined)).toMatchObject({ status: 401, code: 'key_missing' });
    expect(await send('')).toMatchObject({ status: 401, code: 'key_missing' });
    expect(await send('ik_nobody')).toMatchObject({ status: 401, code: 'key_unknown' });
    expect(await send('k'.repeat(100_000))).toMatchObject({ status: 401, code: 'key_unknown' });
    const key = await receiver.createKey();
    const both = await receiver.post(
      { instrumentationKey: 'ik_other', events: [] },
      { headers: { 'x-instrumentation-key': key } },
    );
    expect([both.status, ((await both.json()) as { code: string }).code]).toEqual([400, 'key_conflict']);
    const notText = await receiver.post({ instrumentationKey: 7, events: [anEvent()] });
    expect(notText.status).toBe(400);
  });

  it('works once created, and no longer once revoked, without a restart', async () => {
    const key = await makeKey(receiver.keys);
    await until(async () => (await send(key)).status === 202);
    await change(key, { revokedAt: new Date(Date.now() + 60_000).toISOString() });
    await until(async () => (await send(key)).code === 'key_revoked');
    expect((await send(key)).status).toBe(401);
  });

  it('is refused by its header alone, before the body is read', async () => {
    const response = await receiver.post('not json', { headers: { 'x-instrumentation-key': 'ik_nobody' } });
    expect(response.status).toBe(401);
  });

  it('and its successor work side by side until the old one expires', async () => {
    const old = await receiver.createKey();
    const next = await receiver.createKey();
    const expiresAt = Date.now() + 5_000;
    await change(old, { expiresAt: new Date(expiresAt).toISOString() });
    nowMs = expiresAt - 1;
    expect([(await send(old)).status, (await send(next)).status]).toEqual([202, 202]);
    nowMs = expiresAt;
    await until(async () => (await send(old)).code === 'key_expired');
    expect((await send(next)).status).toBe(202);
    nowMs = undefined;
  });

  it('whose record would escape a subject or a path is refused, and changes nothing for others', async () => {
    const good = await receiver.createKey();
    for (const tenantId of ['../etc', 'a.b', 'a>', '*', 'A', '', 'x'.repeat(64), 7 as unknown as string]) {
      const key = await makeKey(receiver.keys, { tenantId });
      const marker = await makeKey(receiver.keys);
      await until(async () => (await send(marker)).status === 202); // so the bad record has been seen
      expect(await send(key), tenantId).toMatchObject({ status: 401, code: 'key_unknown' });
    }
    expect((await send(good)).status).toBe(202);
  });
});

describe('a quota', () => {
  it('refuses with 429 and the seconds to wait, and admits again after them', async () => {
    nowMs = Date.now();
    const key = await receiver.createKey({ quotaEventsPerSecond: 10 });
    expect((await send(key, 35)).status).toBe(202); // more than a second's worth passes, and is owed
    const refused = await send(key);
    expect(refused).toEqual({ status: 429, code: 'quota_exceeded', retryAfter: '3' });
    const byHeader = await receiver.post({ events: [] }, { headers: { 'x-instrumentation-key': key } });
    expect(byHeader.status).toBe(429);
    nowMs += 2_400;
    expect((await send(key)).status).toBe(429);
    nowMs += 200;
    expect((await send(key)).status).toBe(202);
    await change(key, { label: 'renamed' });
    await until(async () => (await receiver.keys.get(secretHash(key)))?.label === 'renamed');
    expect((await send(key)).status).toBe(429); // a changed label gives nothing back
    nowMs = undefined;
  });

  it('counts a refused batch too, because it had to be read', async () => {
    nowMs = Date.now();
    const key = await receiver.createKey({ quotaEventsPerSecond: 2 });
    const headers = { 'x-instrumentation-key': key };
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await receiver.post({ events: [] }, { headers })).status);
    expect(statuses).toEqual([400, 400, 429]);
    nowMs = undefined;
  });

  it('holds one second of events at most, and admits what it should over time', () => {
    const quota = new Quota(100, 0);
    let admitted = 0;
    for (let now = 0; now < 10_000; now += 7) {
      if (quota.waitSeconds(now) > 0) continue;
      quota.take(30);
      admitted += 30;
    }
    expect(admitted).toBeGreaterThanOrEqual(1_000);
    expect(admitted).toBeLessThanOrEqual(1_100 + 30);
    quota.take(-1e9); // a clock that stands still, or a long rest, saves nothing up
    expect(quota.waitSeconds(1e9)).toBe(0);
    quota.take(101);
    expect(quota.waitSeconds(1e9)).toBe(1);
  });
});
