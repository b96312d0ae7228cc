import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pino } from 'pino';
import { Quota } from '../../ingest/keys/quota.ts';
import { openTenantQuotas } from '../../ingest/quotas/openTenantQuotas.ts';
import { TenantQuota } from '../../ingest/quotas/tenantQuota.ts';
import { setQuota, type QuotaLimits } from '../../query/access/quotas.ts';
import type { Logger } from '../../runtime/log.ts';
import { Resources } from '../../runtime/resources.ts';
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

describe('a quota of a tenant', () => {
  const limit = (tenantId: string, limits: QuotaLimits): Promise<unknown> =>
    setQuota(receiver.connection, { tenantId, limits, replicas: 1, nowMs: Date.now() });

  it('binds all receivers together, is told at 80 %, and outlives them', async () => {
    const tenantId = 'limited-shop';
    const key = await receiver.createKey({ tenantId });
    const other = await startReceiver(nats.url);
    const post = async (at: Receiver, events: number): Promise<{ status: number; body: Answer; headers: Headers }> => {
      const response = await at.post({
        instrumentationKey: key,
        events: Array.from({ length: events }, () => anEvent()),
      });
      return { status: response.status, body: (await response.json()) as Answer, headers: response.headers };
    };
    const free = await post(receiver, 1);
    expect([free.status, free.headers.get('ratelimit'), free.body.quota]).toEqual([202, null, undefined]);
    await limit(tenantId, { eventsPerDay: 1_000, eventsPerMonth: 50_000 });
    await until(async () => (await post(receiver, 1)).headers.get('ratelimit') !== null);
    await until(async () => (await post(other, 1)).headers.get('ratelimit') !== null);
    const { headers } = await post(receiver, 400);
    expect(headers.get('ratelimit-policy')).toBe('"day";q=1000;w=86400, "month";q=50000;w=2592000');
    expect(headers.get('ratelimit')).toMatch(/^"day";r=\d+;t=\d+, "month";r=\d+;t=\d+$/);
    expect((await post(other, 390)).status).toBe(202);
    // Each hears of the other within two seconds, and tells its senders.
    await until(async () => ((await post(receiver, 1)).body.quota?.[0]?.used ?? 0) >= 800);
    await post(receiver, 100);
    await post(other, 100);
    await until(async () => (await post(other, 1)).status === 429);
    await until(async () => (await post(receiver, 1)).status === 429);
    const refused = await post(receiver, 1);
    expect(refused.body.code).toBe('tenant_quota_exceeded');
    expect(refused.body.message).toContain('1000 events per day');
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait > 0 && wait <= 3_600).toBe(true);
    expect(await receiver.metric('spor_ingest_requests_total{code="tenant_quota_exceeded"')).toBeGreaterThan(0);
    // Bounded: what one receiver took before it heard of the other.
    const accepted = (await receiver.stored())
      .filter(({ subject }) => subject.includes(`.${tenantId}.`))
      .reduce((sum, { header }) => sum + header.accepted, 0);
    expect(accepted >= 1_000 && accepted <= 1_400).toBe(true);
    await other.close();
    const third = await startReceiver(nats.url);
    await until(async () => (await post(third, 1)).status !== 401);
    expect((await post(third, 1)).body.code).toBe('tenant_quota_exceeded');
    await third.close();
    expect((await send(await receiver.createKey({ tenantId: 'other-shop' }))).status).toBe(202);
    await limit(tenantId, { eventsPerDay: 10_000 });
    await until(async () => (await post(receiver, 1)).status === 202);
  });

  it('shares a rate: what others leave, never less than an equal part, and the limit in all', () => {
    const limits = { eventsPerSecond: 100, changedAt: '' };
    const receivers = [new TenantQuota('t', limits, 0), new TenantQuota('t', limits, 0)];
    /** Events taken in some seconds, of receivers that want 5 events each so many times a second. */
    const run = (from: number, seconds: number, wanted: readonly number[]): number[] => {
      const taken = receivers.map(() => 0);
      for (let ms = from * 1_000; ms < (from + seconds) * 1_000; ms += 10) {
        for (const [index, quota] of receivers.entries()) {
          if (ms % Math.round(1_000 / wanted[index]!) >= 10) continue;
          try {
            quota.check(ms);
            quota.take(5);
            taken[index]! += 5;
          } catch {
            // over its share
          }
        }
        if (ms % 1_000 === 0)
          for (const [index, quota] of receivers.entries())
            quota.exchange({ limits, others: [receivers[1 - index]!.own], nowMs: ms, elapsedMs: 1_000 });
      }
      return taken;
    };
    const sum = ([a = 0, b = 0]: number[]): number => a + b;
    // Two seconds in which each knows nothing of the other: once more the limit, and a bucket each.
    expect(sum(run(0, 2, [50, 50]))).toBeLessThanOrEqual(2 * 2 * 100 + 210);
    const busy = run(2, 10, [50, 50]);
    expect(sum(busy)).toBeLessThanOrEqual(10 * 100 + 110);
    expect(Math.min(...busy)).toBeGreaterThan(400);
    // One falls silent: the other gets it all.
    run(12, 3, [50, 0.001]);
    expect(run(15, 10, [50, 0.001])[0]).toBeGreaterThan(900);
  });

  it('begins again with the day and the month, and never goes back', () => {
    const midnight = Date.UTC(2026, 10, 30) + 86_400_000;
    const limits = { eventsPerDay: 10, eventsPerMonth: 15, changedAt: '' };
    const quota = new TenantQuota('t', limits, midnight - 5);
    quota.stored(10, midnight - 5);
    expect(() => quota.check(midnight - 4)).toThrow('10 events per day');
    quota.stored(3, midnight + 1);
    quota.stored(1, midnight - 1); // a batch whose answer comes late
    expect(quota.standing(midnight + 2).map(({ used }) => used)).toEqual([4, 4]);
    quota.stored(11, midnight + 86_400_000);
    expect(() => quota.check(midnight + 2 * 86_400_000)).toThrow('15 events per month');
  });

  it('is not enforced with an identity of before, and that is said', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) }) as Logger;
    const options = { replicas: 1, now: Date.now, log, resources: new Resources(), mayPublish: () => false };
    expect(await openTenantQuotas(receiver.connection, options)).toBeUndefined();
    expect(lines.join('')).toContain('spor access init');
  });
});

interface Answer {
  code?: string;
  message?: string;
  quota?: { per: string; limit: number; used: number }[];
}
