import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawJson } from '../../ingest/events/rawJson.ts';
import { EVENT_ERRORS, REQUEST_ERRORS } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/normalise/exactNumber.ts';
import { eventText, space, valueText } from '../support/hostileJson.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { normalisedEvent } from '../support/normalisedEvent.ts';
import { startReceiver, type Receiver } from './receiver.ts';

let nats: TestNats;
let receiver: Receiver;
let key: string;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url);
  key = await receiver.createKey();
});

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

interface Answer {
  receiptId?: string;
  code?: string;
  rejected?: { index: number; code: string }[];
}

describe('what is stored', () => {
  it('is the normalised value of what was accepted; what was refused has a code and is kept with its digits', async () => {
    let stored = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 9, arbitrary: eventText }, valueText), { minLength: 1, maxLength: 6 }),
        space,
        async (events, gap) => {
          const body = `${gap}{"events"${gap}:[${events.join(`${gap},`)}],${gap}"instrumentationKey":"${key}"}${gap}`;
          const values = (parseExact(body) as { events: unknown[] }).events;
          const response = await receiver.post(body);
          const answer = (await response.json()) as Answer;
          const rejected = answer.rejected ?? [];
          expect([202, 400]).toContain(response.status);
          for (const { code } of rejected) expect(Object.keys(EVENT_ERRORS)).toContain(code);
          const batch = answer.receiptId
            ? await receiver.resolve(answer.receiptId)
            : (await receiver.stored()).filter(({ header }) => header.accepted === 0).at(-1)!;

          for (const { i, v: _v, c: _c, ...event } of batch.events) {
            // As text: -0 and the order of names count too. V8 writes -0 as 0, in the stream as here.
            const stored = JSON.stringify(normalisedEvent(values[i as number] as Record<string, unknown>));
            expect(JSON.stringify(event)).toBe(stored);
          }
          for (const { index, raw } of batch.header.rejected ?? [])
            expect(rawJson(parseExact(raw))).toBe(rawJson(values[index!]));
          const judged = [...batch.events.map(({ i }) => i as number), ...rejected.map(({ index }) => index)];
          expect(judged.sort((a, b) => a - b)).toEqual(values.map((_, index) => index));
          stored += batch.events.length;
          refused += rejected.length;
        },
      ),
      { numRuns: 300 },
    );
    // Both ways must have been taken often, or this showed nothing.
    expect(Math.min(stored, refused)).toBeGreaterThan(100);
  });

  it('is nothing at all of a body that is not UTF-8 or not JSON, whatever its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.nat(200), async (noise, at) => {
        const good = Buffer.from(JSON.stringify({ instrumentationKey: key, events: [] }));
        const body = Buffer.concat([good.subarray(0, at), noise, good.subarray(at)]);
        const response = await receiver.post(body);
        expect([400, 401, 413]).toContain(response.status);
        expect(Object.keys(REQUEST_ERRORS)).toContain(((await response.json()) as Answer).code);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['deep lists', `[${'['.repeat(250_000)}`],
    ['deep closed lists', `{"events":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
    ['deep objects as an event', `{"events":[${'{"a":'.repeat(80_000)}1${'}'.repeat(80_000)}]}`],
    ['a huge name', `{"events":[{"${'n'.repeat(400_000)}":1}]}`],
    ['huge digits', `{"events":[${'9'.repeat(400_000)}]}`],
    ['many names', `{"events":[{${Array.from({ length: 40_000 }, (_, i) => `"k${i}":1`).join()}}]}`],
    ['many refused events', `{"events":[${Array.from({ length: 1000 }, () => `"${'x'.repeat(300)}"`).join()}]}`],
  ])('is decided quickly for %s', async (_name, body) => {
    const before = process.cpuUsage();
    const response = await receiver.post(body, { headers: { 'x-instrumentation-key': key } });
    expect(response.status).toBe(400);
    expect(Object.keys(REQUEST_ERRORS)).toContain(((await response.json()) as Answer).code);
    const { user, system } = process.cpuUsage(before); // microseconds of CPU, which a busy machine does not stretch
    expect((user + system) / 1000).toBeLessThan(1500);
    expect((await fetch(`${receiver.url}/healthz`)).status).toBe(200);
  });
});
