import { afterEach, beforeEach, expect, test } from 'vitest';
import { anEvent, messageHeaders, messageOf, uuid7, type TestEvent, type TestMessage } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';

let bench: TestPipeline;

beforeEach(async () => {
  bench = await startTestPipeline();
});
afterEach(() => bench.stop());

test('refused events go to the quarantine beside the accepted ones of their message', async () => {
  const rejected = [
    {
      index: 1,
      eventId: uuid7(),
      type: 'Search',
      schemaVersion: 1,
      code: 'field_missing',
      path: '/phrase',
      message: 'phrase is missing',
      raw: '{"type":"Search","x":"\\u0000 \\ud800"}',
    },
    { index: null, code: 'body_not_json', path: '', message: 'not JSON', raw: 'not json \u{1F600} "quoted"\n' },
  ];
  const receivedAt = new Date('2026-11-23T10:00:00.123Z');
  await bench.publish(messageOf('shop', 'web', [{ events: [anEvent(0)], rejected: [rejected[0]!], receivedAt }]));
  await bench.publish(messageOf('shop', 'web', [{ events: [], rejected: [rejected[1]!], receivedAt }]));
  await bench.processor();
  await bench.settled();
  expect(await bench.rows('events', 'shop')).toHaveLength(1);
  const rows = await bench.rows('quarantine', 'shop', '*', 'code');
  expect(rows).toMatchObject([
    {
      code: 'body_not_json',
      receipt_index: null,
      raw: rejected[1]!.raw,
      tenant_id: 'shop',
      segment_id: 'web',
      date: '2026-11-23',
    },
    {
      code: 'field_missing',
      path: '/phrase',
      message: 'phrase is missing',
      event_id: rejected[0]!.eventId,
      type: 'Search',
      raw: rejected[0]!.raw,
      receipt_index: 1,
      schema_version: 1,
      received_at: '2026-11-23 10:00:00.123+00',
    },
  ]);
});

test('a malformed message is kept whole and holds nothing up', async () => {
  const good = messageOf('shop', 'web', [{ events: [anEvent(0)] }]);
  const bad = (payload: string | Buffer, over: Partial<TestMessage> = {}): TestMessage => ({
    ...good,
    headers: messageHeaders(1),
    payload: Buffer.from(payload),
    ...over,
  });
  const header = (accepted: number): string =>
    JSON.stringify({ batches: [{ receivedAt: new Date().toISOString(), skewMs: 0, keyId: 'k', accepted }] });
  const noFormat = messageHeaders(1);
  noFormat.delete('Spor-Format');
  const messages = [
    bad('not json'),
    bad(Buffer.from([0xff, 0xfe, 0x00])),
    bad(''),
    bad('{"batches":[]}'),
    bad('{"batches":[{"receivedAt":"yesterday","skewMs":0,"keyId":"k","accepted":0}]}'),
    bad(`${header(2)}\n{"b":0,"i":0,"v":1}\n`),
    bad(`${header(1)}\n{"b":1,"i":0,"v":1}\n`),
    bad(`${header(1)}\n{"x":0}\n`),
    bad(good.payload, { headers: noFormat }),
  ];
  await bench.publish(good);
  for (const message of messages) await bench.publish(message);
  await bench.publish({ ...good, subject: good.subject.replace('shop', 'SHOP'), headers: messageHeaders(1) });
  await bench.publish(messageOf('shop', 'web', [{ events: [anEvent(1)] }]));
  await bench.processor();
  await bench.settled();
  expect(await bench.rows('events', 'shop')).toHaveLength(2);
  const rows = await bench.rows('quarantine', 'shop', 'code, raw, receipt_id, message');
  expect(rows.map((row) => row.code)).toEqual(messages.map(() => 'message_malformed'));
  const raw = rows.map((row) => String(row.raw));
  expect(raw).toContain('not json');
  expect(raw).toContain('base64://4A');
  expect(raw).toContain(good.payload.toString());
  expect(await bench.rows('quarantine', 'spor-unattributed')).toMatchObject([
    { code: 'message_malformed', raw: good.payload.toString() },
  ]);
});

test('an accepted event that cannot become a row goes to the quarantine, the rest is stored', async () => {
  const events = Array.from({ length: 400 }, (_, index) => anEvent(index));
  const spoil = (index: number, over: Record<string, unknown>): TestEvent =>
    (events[index] = { ...events[index]!, ...over });
  const spoilt = [
    spoil(3, { timestamp: 'not a time' }),
    spoil(4, { position: 'first' }),
    spoil(207, { resultsCount: 1e300 }),
    spoil(250, { type: 'GiftGiven' }),
    spoil(251, { v: 9 }),
    spoil(300, { timestamp: undefined }),
    spoil(301, { timestamp: '1969-12-31T23:59:59Z' }),
    spoil(302, { timestamp: '9999-01-01T00:00:00Z' }),
  ];
  await bench.publish(messageOf('shop', 'web', [{ events: events.slice(0, 200) }, { events: events.slice(200) }]));
  await bench.publish(messageOf('shop', 'app', [{ events: [anEvent(0)] }]));
  await bench.processor();
  await bench.settled();
  expect(await bench.rows('events', 'shop')).toHaveLength(393);
  const rows = await bench.rows('quarantine', 'shop', '*');
  expect(rows.map((row) => [row.code, row.receipt_index, row.event_id])).toEqual([
    ['event_unreadable', 3, spoilt[0]!.eventId],
    ['event_unreadable', 4, spoilt[1]!.eventId],
    ['event_unreadable', 7, spoilt[2]!.eventId],
    ['schema_unknown', 50, spoilt[3]!.eventId],
    ['schema_unknown', 51, spoilt[4]!.eventId],
    ['event_unreadable', 100, spoilt[5]!.eventId],
    ['event_unreadable', 101, spoilt[6]!.eventId],
    ['event_unreadable', 102, spoilt[7]!.eventId],
  ]);
  expect(JSON.parse(String(rows[3]!.raw))).toEqual(spoilt[3]);
  // A resend of what could not be stored is no duplicate of it.
  await bench.publish(messageOf('shop', 'web', [{ events: [{ ...anEvent(0), eventId: spoilt[0]!.eventId }] }]));
  await bench.settled();
  expect(await bench.rows('events', 'shop')).toHaveLength(394);
});

test('a line that names another batch behind its own is not given to that batch', async () => {
  const victim = messageOf('shop', 'web', [{ events: [anEvent(0)] }]);
  const forged = messageOf('shop', 'app', [{ events: [anEvent(0), anEvent(1)] }]);
  const payload = Buffer.from(forged.payload.toString().replace('"i":1,', '"i":1,"b":0,'));
  await bench.publish(victim);
  await bench.publish({ ...forged, payload });
  await bench.processor();
  await bench.settled();
  const rows = await bench.rows('events', 'shop');
  const aside = await bench.rows('quarantine', 'shop');
  expect(rows.filter((row) => row.segment_id === 'web')).toHaveLength(1);
  expect(rows.length + aside.length).toBe(3);
});
