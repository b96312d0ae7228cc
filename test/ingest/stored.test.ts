import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_ERRORS, REQUEST_ERRORS } from '../../schemas/errors.ts';
import { startNats, type TestNats } from '../support/nats.ts';
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

const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n', '\t', '  \n ');

/** JSON text of a string, its characters escaped in any of the ways there are. */
const stringText = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.constantFrom('a', 'Z', ' ', 'ø', '鞋', '👟', '\u2028', '\\n', '\\/', '\\u0041', '\\ud83d\\udc5f'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('\\u0000', '\\ud800', '\\udfff', '\\u0001', '\\\\u0000', '\u007f', '\ufeff', '\\"'),
      },
    ),
    { maxLength: 8 },
  )
  .map((parts) => `"${parts.join('')}"`);

const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '1',
    '-1.50',
    '1e2',
    '1E+2',
    '1e-7',
    '1e21',
    '9007199254740993',
    '123456789012345678901234567890',
    '0.1000000000000000055511151231257827',
  ),
  fc.constantFrom('1e400', '-1e400', '5e-324', '1e-400', '1.7976931348623157e308'),
);

const nameText = fc.oneof(
  fc.constantFrom('"a"', '"A"', '"\\u0061"', '"__proto__"', '"constructor"', '"toJSON"', '""', '"b"', '"1"', '"0"'),
  stringText,
);

const { value: valueText } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 10, depthSize: 'medium' },
    fc.constantFrom('true', 'false', 'null'),
    stringText,
    numberText,
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), space)
    .map(([values, gap]) => `[${gap}${values.join(`${gap},`)}${gap}]`),
  object: fc
    .tuple(fc.array(fc.tuple(nameText, tie('value')), { maxLength: 4 }), space)
    .map(([fields, gap]) => `{${fields.map(([name, value]) => `${gap}${name}${gap}:${value}`).join(',')}${gap}}`),
}));

/** Fields of an event in any order and number: right ones, twice, in other letters, and hostile ones. */
const extraField = fc.oneof(
  { weight: 6, arbitrary: valueText.map((value) => `"properties":{"p":${value}}`) },
  { weight: 2, arbitrary: stringText.map((value) => `"phrase":${value}`) },
  { weight: 2, arbitrary: stringText.map((value) => `"sort":${value}`) },
  { weight: 2, arbitrary: fc.array(stringText, { maxLength: 3 }).map((values) => `"resultIds":[${values.join()}]`) },
  { weight: 1, arbitrary: numberText.map((value) => `"resultsCount":${value}`) },
  { weight: 1, arbitrary: fc.tuple(nameText, valueText).map(([name, value]) => `${name}:${value}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"Phrase":"x"',
      '"__proto__":{"phrase":"x"}',
      '"type":"Nonsense"',
      '"sessionId":"second"',
    ),
  },
);

const eventText = fc.tuple(fc.array(extraField, { maxLength: 5 }), space, fc.boolean()).map(([extra, gap, first]) => {
  const right = [
    `"eventId":"${randomUUID()}"`,
    '"type":"Search"',
    `"timestamp":"${new Date().toISOString()}"`,
    '"sessionId":"s"',
    '"phrase":"shoes"',
    '"resultsCount":1',
  ];
  return `{${gap}${(first ? [...extra, ...right] : [...right, ...extra]).join(`,${gap}`)}${gap}}`;
});

interface Answer {
  receiptId?: string;
  code?: string;
  rejected?: { index: number; code: string }[];
}

describe('what is stored', () => {
  it("is V8's value of what was accepted; what was refused has a code and is kept as V8 reads it", async () => {
    let stored = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 9, arbitrary: eventText }, valueText), { minLength: 1, maxLength: 6 }),
        space,
        async (events, gap) => {
          const body = `${gap}{"events"${gap}:[${events.join(`${gap},`)}],${gap}"instrumentationKey":"${key}"}${gap}`;
          const values = (JSON.parse(body) as { events: unknown[] }).events;
          const response = await receiver.post(body);
          const answer = (await response.json()) as Answer;
          const rejected = answer.rejected ?? [];
          expect([202, 400]).toContain(response.status);
          for (const { code } of rejected) expect(Object.keys(EVENT_ERRORS)).toContain(code);
          const batch = answer.receiptId
            ? await receiver.resolve(answer.receiptId)
            : (await receiver.stored()).filter(({ header }) => header.accepted === 0).at(-1)!;

          for (const { i, v: _v, ...event } of batch.events) {
            // As text: -0 and the order of names count too. V8 writes -0 as 0, in the stream as here.
            expect(JSON.stringify(event)).toBe(JSON.stringify(values[i as number]));
          }
          for (const { index, raw } of batch.header.rejected ?? []) expect(JSON.parse(raw)).toEqual(values[index!]);
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
