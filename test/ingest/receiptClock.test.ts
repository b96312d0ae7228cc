import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { receiptTime, sentTime } from '../../ingest/receiptClock.ts';
import { DAY_MS, MINUTE_MS } from '../../runtime/units.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

const YEARS = 3_650 * DAY_MS;
let nats: TestNats;
let receiver: Receiver;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url);
});
afterEach(() => vi.useRealTimers());
afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

/** POSTs while this host's clock is off. */
async function postOffBy(offMs: number, body: object): Promise<{ status: number; answer: Record<string, string> }> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offMs });
  const response = await receiver.post(body).finally(() => vi.useRealTimers());
  return { status: response.status, answer: (await response.json()) as Record<string, string> };
}

it.each([YEARS, -YEARS, 3 * DAY_MS, -10 * MINUTE_MS])(
  'a receiver whose clock is %d ms off accepts what it should, and dates it by the clock that agrees with the sender',
  async (offMs) => {
    const instrumentationKey = await receiver.createKey();
    const sentAt = new Date();
    for (const more of [{ sentAt: sentAt.toISOString() }, {}]) {
      const { status, answer } = await postOffBy(offMs, { instrumentationKey, events: [anEvent()], ...more });
      expect([status, answer.code]).toEqual([202, undefined]);
      const { header } = await receiver.resolve(answer.receiptId!);
      expect(Math.abs(Date.parse(header.receivedAt) - sentAt.getTime())).toBeLessThan(MINUTE_MS);
      expect(header.skewMs).toBe(0);
    }
  },
);

it.each([YEARS, -YEARS])('a key expires by no single clock: %d ms off', async (offMs) => {
  const expiresAt = new Date(Date.now() + 300 * DAY_MS).toISOString();
  const valid = { instrumentationKey: await receiver.createKey({ expiresAt }), events: [anEvent()] };
  const expected = offMs > 0 ? [503, 'clocks_differ'] : [202, undefined];
  const { status, answer } = await postOffBy(offMs, valid);
  expect([status, answer.code]).toEqual(expected);
  expect(await receiver.metric('spor_ingest_clock_ahead_seconds')).toBeLessThan(60);
});

it('of two clocks that differ the sender chooses, and the stream server where no sender tells', () => {
  expect(receiptTime([10], 5)).toBe(10);
  expect([receiptTime([10, 1_000], 900), receiptTime([10, 1_000], 20)]).toEqual([1_000, 10]);
  expect([receiptTime([10, 1_000], undefined), receiptTime([10, 1_000], NaN)]).toEqual([1_000, 1_000]);
  expect(sentTime('1970-01-01T00:00:01Z', [])).toBe(1_000);
  expect(sentTime(undefined, [{ timestamp: '1970-01-01T00:00:01Z' }, { timestamp: 'soon' }, null, 7])).toBe(1_000);
  expect(sentTime(undefined, [{}])).toBeUndefined();
});
