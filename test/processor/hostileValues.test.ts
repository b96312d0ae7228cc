import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT_ERRORS } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/normalise/exactNumber.ts';
import { anEvent, startReceiver, type Receiver } from '../ingest/receiver.ts';
import { eventText, numberText, space } from '../support/hostileJson.ts';
import { normalisedEvent } from '../support/normalisedEvent.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';

const SEED = 20261124;
const BODIES = 150;
const MOST_EVENTS = 12;

let bench: TestPipeline;
let receiver: Receiver;

beforeAll(async () => {
  bench = await startTestPipeline();
  await bench.processor();
  receiver = await startReceiver(bench.nats.url);
});

afterAll(async () => {
  await receiver?.close();
  await bench?.stop();
});

/** A click whose numbers are written in every way there is. */
const clickText = fc
  .tuple(numberText, fc.oneof(numberText, fc.constantFrom('0.07', '1e-4', '12345.6789', '99999999999.9999', '1.00000')))
  .map(
    ([position, price]) =>
      `{"type":"ProductClicked","eventId":"${randomUUID()}","timestamp":"${new Date().toISOString()}","sessionId":"s","productId":"p","position":${position},"price":${price},"currency":"DKK"}`,
  );

/** Fixed cases besides the random ones: each once, as the only event or among others. */
const FIXED = [
  `"phrase":"a","phrase":"b"`,
  `"phrase":"a","Phrase":"b"`,
  `"phrase":"a","PHRASE":"a"`,
  `"phrase":"\\u0000"`,
  `"phrase":"\\ud83d"`,
  `"phrase":"\\ufeffx"`,
  `"phrase":"a","__proto__":{"phrase":"b"}`,
  `"phrase":"a","properties":{"__proto__":{"x":1},"constructor":{"prototype":1},"a":1,"A":2,"a":3}`,
  `"phrase":"a","properties":{"n":9007199254740993,"m":-0,"o":5e-324,"p":1e21,"q":1.7976931348623157e308}`,
  `"phrase":"a","properties":{"n":1e400}`,
  `"phrase":"a","properties":{"text":"\\n{\\"b\\":7,\\"i\\":0}\\n"}`,
  `"phrase":"a","properties":{"${'k'.repeat(5_000)}":1}`,
  `"phrase":"a","properties":${'{"d":'.repeat(7)}1${'}'.repeat(7)}`,
  `"phrase":"a","properties":${'{"d":'.repeat(8)}{}${'}'.repeat(8)}`,
].map(
  (fields) =>
    `{"eventId":"${randomUUID()}","type":"Search","timestamp":"${new Date().toISOString()}","sessionId":"s",${fields},"resultsCount":1}`,
);

interface Answer {
  receiptId?: string;
  rejected?: { index: number; code: string }[];
}

test('every row of what was accepted equals its normalised value, and nothing else is stored', async () => {
  const key = await receiver.createKey({ tenantId: 'hostile', segmentId: 'web' });
  const bodies = fc.sample(
    fc.tuple(fc.array(fc.oneof(eventText, clickText), { minLength: 1, maxLength: MOST_EVENTS }), space),
    { numRuns: BODIES, seed: SEED },
  );
  const accepted = new Map<string, Record<string, unknown>>();
  let refused = 0;
  for (const [events, gap] of [...bodies, [FIXED, '\n'] as const]) {
    const body = `${gap}{"instrumentationKey":"${key}"${gap},"events":[${events.join(`${gap},`)}]${gap}}`;
    const values = (parseExact(body) as { events: Record<string, unknown>[] }).events;
    const { receiptId, rejected = [] } = (await (await receiver.post(body)).json()) as Answer;
    for (const { code } of rejected) expect(Object.keys(EVENT_ERRORS)).toContain(code);
    const out = new Set(rejected.map(({ index }) => index));
    refused += out.size;
    for (const [index, value] of values.entries()) {
      if (!out.has(index)) accepted.set(`${receiptId} ${index}`, normalisedEvent(value));
    }
  }
  await bench.settled();
  const rows = await bench.rows('events', 'hostile', TEXTS_AS_BYTES);
  expect(
    rows.map(({ receipt_id: receipt, receipt_index: index }) => `${String(receipt)} ${String(index)}`).sort(),
  ).toEqual([...accepted.keys()].sort());
  for (const row of rows) {
    const value = accepted.get(`${String(row.receipt_id)} ${String(row.receipt_index)}`)!;
    expect(rowOf(row)).toEqual(expectedRow(value));
  }
  const quarantined = await bench.rows('quarantine', 'hostile', 'count(*) AS n', '1');
  expect(Number(quarantined[0]?.n)).toBe(refused);
  // Both ways must have been taken often, or this showed nothing.
  expect(Math.min(accepted.size, refused)).toBeGreaterThan(100);
});

test('an order of 5,000 lines with every id is stored whole', async () => {
  const key = await receiver.createKey({ tenantId: 'wholesale', segmentId: 'web', kind: 'server' });
  const lines = Array.from({ length: 5_000 }, (_, index) => ({
    productId: randomUUID(),
    variantId: randomUUID(),
    quantity: index + 1,
    unitPrice: 0.1,
    discount: 0.01,
    searchId: randomUUID(),
    listId: randomUUID(),
    recommendationId: randomUUID(),
    name: `WHITE HANGING HEART T-LIGHT HOLDER ${index}`,
    kind: 'product',
  }));
  const order = anEvent('OrderCreated', { total: lines.reduce((sum, { quantity }) => sum + quantity * 0.1, 0), lines });
  const tooMany = anEvent('OrderCreated', { lines: [...lines, lines[0]] });
  const send = async (event: object): Promise<Answer> =>
    (await (await receiver.post({ instrumentationKey: key, events: [event, anEvent()] })).json()) as Answer;
  expect(await send(order)).toMatchObject({ accepted: 2, rejected: [] });
  expect(await send(tooMany)).toMatchObject({ accepted: 1, rejected: [{ index: 0, code: 'field_range' }] });
  await bench.settled();
  const [row] = await bench.rows('events', 'wholesale', 'len(lines) AS lines, lines[5000] AS last, total', 'lines');
  expect([Number(row!.lines), Number(row!.total)]).toEqual([5_000, 1_250_250]);
  expect(row!.last).toMatchObject({ product_id: lines[4_999]!.productId, name: lines[4_999]!.name });
});

/** The client that reads for us drops a byte order mark that a text begins with, so texts are compared as their bytes. */
const TEXTS_AS_BYTES =
  '* REPLACE (hex(phrase) AS phrase, hex(sort) AS sort, list_transform(result_ids, lambda id: hex(id)) AS result_ids)';

function bytesOf(text: unknown): string | null {
  return typeof text === 'string' ? Buffer.from(text).toString('hex').toUpperCase() : null;
}

/** Properties as text: names in V8's order, its numbers, its escapes. */
function rowOf(row: Record<string, unknown>): Record<string, unknown> {
  return {
    type: row.type,
    event_id: row.event_id,
    session_id: row.session_id,
    phrase: row.phrase,
    sort: row.sort,
    results_count: row.results_count,
    result_ids: row.result_ids,
    product_id: row.product_id,
    position: row.position,
    price: row.price,
    properties: row.properties === null ? null : JSON.stringify(parseExact(row.properties as string)),
  };
}

function expectedRow(value: Record<string, unknown>): Record<string, unknown> {
  return {
    type: value.type,
    event_id: value.eventId,
    session_id: value.sessionId,
    phrase: bytesOf(value.phrase),
    sort: bytesOf(value.sort),
    results_count: value.resultsCount === undefined ? null : Number(value.resultsCount) + 0,
    result_ids: (value.resultIds as unknown[] | undefined)?.map(bytesOf) ?? null,
    product_id: value.productId ?? null,
    position: value.position ?? null,
    price: value.price === undefined ? null : (Number(value.price) + 0).toFixed(4),
    properties: value.properties === undefined ? null : JSON.stringify(value.properties),
  };
}
