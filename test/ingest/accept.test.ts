import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventColumns } from '../../schemas/columns.ts';
import { keyId, secretHash } from '../../schemas/keys.ts';
import type { Verdict } from '../../schemas/envelope.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { formatSubject, shardOf } from '../../schemas/subjects.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

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

interface Accepted {
  receiptId: string;
  accepted: number;
  rejected: { index: number; eventId?: string; code: string; path: string; message: string }[];
}

async function accept(body: object): Promise<Accepted> {
  const response = await receiver.post({ instrumentationKey: key, ...body });
  expect(response.status, await response.clone().text()).toBe(202);
  return (await response.json()) as Accepted;
}

const LINE = { productId: 'SKU-1', quantity: 1, unitPrice: 0.1 };

const FULL_EVENTS = [
  anEvent('Search', {
    anonymousId: 'anon-1',
    userId: 'user-1',
    searchId: 'search-1',
    phrase: 'løbesko 👟 "quoted" \\ / \t end',
    resultIds: ['SKU-1', 'SKU-7'],
    page: 1,
    pageSize: 24,
    sort: 'relevance',
    filters: [{ field: 'brand', values: ['x', 'ÿ', '鞋'] }],
    consent: { analytics: true, personalization: false },
    context: {
      url: 'https://shop.example/s?q=a',
      referrer: 'https://search.example/',
      locale: 'da-DK',
      channel: 'organic',
    },
    properties: { nested: { list: [1, 2.5, -0, null, true, 'x'], '': {} } },
  }),
  anEvent('ProductClicked', {
    variantId: 'V',
    position: 3,
    searchId: 'search-1',
    listId: 'L',
    recommendationId: 'R',
    price: 0.07,
    currency: 'DKK',
  }),
  anEvent('ProductAddedToCart', { quantity: 0.3333, unitPrice: 99999999999.9999, currency: 'EUR', listId: 'L' }),
  anEvent('OrderCreated', {
    tax: 99.99,
    shipping: -0,
    discount: 12.5,
    couponCodes: ['SPRING'],
    lines: [
      {
        productId: 'SKU-1',
        variantId: 'V',
        quantity: 2,
        unitPrice: 249.975,
        discount: 0.1,
        searchId: 'search-1',
        properties: { engraving: 'For Søren', gift: true },
      },
    ],
    experiments: [{ id: 'ranking', variant: 'b' }],
  }),
];

describe('an accepted batch', () => {
  it('of several types with every field lies in the stream as it was sent, where its receipt says', async () => {
    const sentAt = new Date().toISOString();
    const answer = await accept({ sentAt, events: FULL_EVENTS });
    expect(answer).toEqual({ receiptId: answer.receiptId, accepted: 4, rejected: [] });

    const batch = await receiver.resolve(answer.receiptId);
    const place = { tenantId: 'demo-shop', segmentId: 'web', shard: shardOf('demo-shop', 4) };
    expect(batch.subject).toBe(formatSubject({ kind: 'events', ...place }));
    expect(batch.events).toEqual(
      JSON.parse(JSON.stringify(FULL_EVENTS.map((event, i) => ({ i, v: i === 3 ? 3 : 2, ...event })))),
    );
    expect(batch.header).toEqual({
      receivedAt: batch.header.receivedAt,
      sentAt,
      skewMs: 0,
      keyId: keyId(secretHash(key)),
      keyKind: 'browser',
      userAgent: 'node',
      bytes: batch.header.bytes,
      accepted: 4,
    });
    expect(batch.header.bytes).toBeGreaterThan(JSON.stringify(FULL_EVENTS).length);
    expect(Math.abs(Date.parse(batch.header.receivedAt) - Date.now())).toBeLessThan(10_000);
  });

  it('carries its refused events in the same message, whole and with the verdict the sender got', async () => {
    const refused = anEvent('Search', { phrase: [17] });
    const good = anEvent('ProductClicked');
    const answer = await accept({ events: [refused, good, 'no object', { type: 'Nonsense', eventId: 'x' }] });
    expect(answer.accepted).toBe(1);
    expect(answer.rejected.map(({ index, code, path }) => [index, code, path])).toEqual([
      [0, 'field_type', '/phrase'],
      [2, 'event_not_object', ''],
      [3, 'type_unknown', '/type'],
    ]);
    expect(answer.rejected[0]).toMatchObject({
      eventId: refused.eventId,
      message: '/phrase must be text, not a list.',
    });

    const batch = await receiver.resolve(answer.receiptId);
    expect(batch.events).toEqual([{ i: 1, v: 2, ...good }]);
    const kept = batch.header.rejected!;
    expect(kept.map((rejected) => JSON.parse(rejected.raw))).toEqual([
      refused,
      'no object',
      { type: 'Nonsense', eventId: 'x' },
    ]);
    expect(kept[0]).toMatchObject({ type: 'Search', schemaVersion: 2 });
    expect(kept.map(({ raw: _raw, type: _type, schemaVersion: _version, ...verdict }) => verdict)).toEqual(
      answer.rejected,
    );
  });

  it('may carry its key in the header, or the same key in both', async () => {
    const headers = { 'x-instrumentation-key': key };
    expect((await receiver.post({ events: [anEvent()] }, { headers })).status).toBe(202);
    expect((await receiver.post({ instrumentationKey: key, events: [anEvent()] }, { headers })).status).toBe(202);
  });

  it('may be text/plain, so that a beacon needs no preflight, and say that it is UTF-8', async () => {
    for (const type of ['text/plain;charset=UTF-8', 'application/json; charset="utf-8"', 'Application/JSON']) {
      const response = await receiver.post(
        { instrumentationKey: key, events: [anEvent()] },
        { headers: { 'content-type': type } },
      );
      expect(response.status, type).toBe(202);
    }
  });

  it('may begin with a byte order mark', async () => {
    const body = `\uFEFF${JSON.stringify({ instrumentationKey: key, events: [anEvent('Search', { phrase: 'ø' })] })}`;
    expect((await receiver.post(body)).status).toBe(202);
  });

  it('goes to the stream of its key, whatever it says of itself', async () => {
    const other = await receiver.createKey({ tenantId: 'other-shop', segmentId: 'app' });
    const response = await receiver.post({ instrumentationKey: other, events: [anEvent()] });
    const { receiptId } = (await response.json()) as Accepted;
    expect((await receiver.resolve(receiptId)).subject).toBe(`events.${shardOf('other-shop', 4)}.other-shop.app`);
  });
});

describe('a correction', () => {
  it('stands on the receipt and in the row, is counted by its kind, and is shown by a dry run', async () => {
    const counted = async (): Promise<number> =>
      (await receiver.metric('spor_ingest_corrections_total{kind="empty"')) || 0;
    const before = await counted();
    const event = anEvent('Search', { userId: null, context: { referrer: '' }, position: undefined });
    const body = { instrumentationKey: key, events: [anEvent(), event] };
    const corrections = [
      { index: 1, kind: 'empty', path: '/userId' },
      { index: 1, kind: 'empty', path: '/context/referrer' },
    ];
    const dry = (await (await receiver.post(body, { query: '?dryRun=1' })).json()) as { rows: object[] };
    expect(dry).toMatchObject({ accepted: 2, corrections });
    const noted = corrections.map(({ kind, path }) => ({ kind, path }));
    expect(dry.rows).toMatchObject([{ corrections: null }, { corrections: noted, user_id: null }]);
    expect(await counted()).toBe(before);

    const answer = (await accept(body)) as Accepted & { corrections: object[] };
    expect(answer.corrections).toEqual(corrections);
    expect((await receiver.resolve(answer.receiptId)).events[1]).toMatchObject({ i: 1, c: noted });
    expect(await counted()).toBe(before + 2);
  });

  it('of the batch: unknown fields and an unusable sentAt cost nothing', async () => {
    const events = [anEvent()];
    const answer = await accept({ sentAt: 'yesterday', library: 'x', __proto__x: 1, events });
    expect(answer).toMatchObject({
      accepted: 1,
      corrections: ['/library', '/__proto__x', '/sentAt'].map((path) => ({ kind: 'left_out', path })),
    });
    expect((await receiver.resolve(answer.receiptId)).header).not.toHaveProperty('sentAt');
    expect(await accept({ sentAt: null, events })).toMatchObject({ corrections: [{ kind: 'empty', path: '/sentAt' }] });
  });

  it('of a clock is not made for a body that was stored for hours: its events keep their times', async () => {
    const sentAt = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const answer = await accept({ sentAt, events: [anEvent('Search', { timestamp: sentAt })] });
    expect(answer).toMatchObject({ corrections: [{ kind: 'clock', path: '/sentAt' }] });
    expect((await receiver.resolve(answer.receiptId)).header).toMatchObject({ sentAt, skewMs: 0 });
  });

  it('of a page’s clock is made, however many years it is behind', async () => {
    const sentAt = '2001-02-03T04:05:06.000Z';
    const body = { instrumentationKey: key, sentAt, events: [anEvent('Search', { timestamp: sentAt })] };
    const response = await receiver.post(body, { headers: { origin: 'https://shop.example' } });
    const answer = (await response.json()) as Accepted & { corrections?: unknown };
    expect([response.status, answer.accepted, answer.corrections]).toEqual([202, 1, undefined]);
    const { header } = await receiver.resolve(answer.receiptId);
    expect(header.skewMs).toBeGreaterThan(20 * 365 * 86_400_000);
  });

  it('of bytes that are not UTF-8 costs at most the event that needs them', async () => {
    const events = [
      anEvent('Search', { phrase: 'sm@rrebr@d' }),
      anEvent(),
      anEvent('ProductClicked', { productId: '@' }),
    ];
    const bytes = Buffer.from(JSON.stringify({ instrumentationKey: key, events })).map((byte) =>
      byte === 0x40 ? 0xf8 : byte,
    );
    const answer = (await (await receiver.post(bytes)).json()) as Accepted;
    expect(answer).toMatchObject({
      accepted: 2,
      rejected: [{ index: 2, code: 'text_invalid', path: '/productId' }],
      corrections: [{ index: 0, kind: 'repaired', path: '/phrase' }],
    });
    const { events: stored } = await receiver.resolve(answer.receiptId);
    expect(stored.map(({ phrase }) => phrase)).toEqual(['sm\uFFFDrrebr\uFFFDd', events[1]!.phrase]);
  });

  it('is not made of a required value: all faults of the event are told at once', async () => {
    const event = anEvent('OrderCreated', { orderId: null, total: '1,5', timestamp: 'now', lines: [{}] });
    const response = await receiver.post({ instrumentationKey: key, events: [event] });
    const { rejected } = (await response.json()) as { rejected: (Verdict & { faults: Verdict[] })[] };
    const paths = ['/orderId', '/total', '/timestamp', '/lines/0/quantity', '/lines/0/unitPrice'];
    expect(rejected[0]!.faults.map(({ path }) => path).sort()).toEqual(paths.sort());
    for (const { message } of rejected[0]!.faults) expect(rejected[0]!.message).toContain(message);
  });

  it('never changes a digit of properties, of the quarantine, nor of an id', async () => {
    const text = JSON.stringify(anEvent('Search', { properties: { order: 0 } }));
    const exact = text.replace('"order":0', '"order":9007199254740993');
    const click = JSON.stringify(anEvent('ProductClicked', { productId: 0 })).replace(
      '"productId":0',
      '"productId":9007199254740993',
    );
    const fine = text.replace('"order":0', '"order":0.1000000000000000055511151231257827');
    const order = JSON.stringify(
      anEvent('OrderCreated', { total: 0.1, lines: [LINE, { ...LINE, properties: { n: 0 } }] }),
    );
    const line = order
      .replace('"n":0', '"n":9007199254740993')
      .replace('"total":0.1', '"total":0.10000000000000000555');
    const fineLine = order.replace('"n":0', '"n":1e400');
    const body = `{"instrumentationKey":"${key}","events":[${[exact, click, fine, line, fineLine].join(',')}]}`;
    const answer = (await (await receiver.post(body)).json()) as Accepted;
    expect(answer.rejected).toMatchObject([
      { index: 1, code: 'number_invalid', path: '/productId' },
      { index: 2, code: 'number_invalid', path: '/properties/order' },
      { index: 4, code: 'number_invalid', path: '/lines/1/properties/n' },
    ]);
    const { header, events } = await receiver.resolve(answer.receiptId);
    expect(JSON.stringify(events[0])).toContain('"order":9007199254740993');
    expect(JSON.stringify(events[1])).toContain('"properties":{"n":9007199254740993}');
    expect(events[1]).toMatchObject({ total: 0.1, lines: [LINE, LINE] });
    expect(header.rejected!.map(({ raw }) => raw)).toEqual([click, fine, fineLine]);
  });
});

describe('a batch with no valid event', () => {
  it('answers 400 once it lies in the quarantine', async () => {
    const events = [anEvent('Search', { phrase: undefined }), null];
    const response = await receiver.post({ instrumentationKey: key, events });
    expect(response.status).toBe(400);
    const answer = (await response.json()) as Accepted & { code: string };
    expect(answer.code).toBe('no_valid_event');
    expect(answer.rejected.map(({ code, path }) => [code, path])).toEqual([
      ['field_missing', '/phrase'],
      ['event_not_object', ''],
    ]);
    const last = (await receiver.stored()).filter(({ subject }) => subject.startsWith('quarantine.')).at(-1)!;
    expect(last.events).toEqual([]);
    expect(last.header.rejected!.map(({ raw }) => JSON.parse(raw))).toEqual(JSON.parse(JSON.stringify(events)));
  });
});

describe('a dry run', () => {
  it('answers the rows and verdicts, and stores nothing', async () => {
    const before = await receiver.stored();
    const sentAt = new Date(Date.now() + 3_600_000).toISOString();
    const timestamp = new Date(Date.now() + 3_599_000).toISOString().replace('Z', '456Z');
    const event: Record<string, unknown> = { ...FULL_EVENTS[0], timestamp };
    const ahead = { ...FULL_EVENTS[3], timestamp: new Date(Date.now() + 7_200_000).toISOString() };
    const body = gzipSync(JSON.stringify({ sentAt, events: [ahead, event, 1] }));
    const headers = { 'content-encoding': 'gzip', 'x-instrumentation-key': key };
    const response = await receiver.post(body, { query: '?dryRun=1', headers });
    expect(response.status).toBe(200);
    const { accepted, rejected, rows } = (await response.json()) as {
      accepted: number;
      rejected: { code: string }[];
      rows: Record<string, unknown>[];
    };
    expect(accepted).toBe(1);
    expect(rejected.map(({ code }) => code)).toEqual(['timestamp_in_future', 'event_not_object']);
    const [row] = rows;
    expect(Object.keys(row!).sort()).toEqual(
      eventColumns(createRegistry())
        .map(({ name }) => name)
        .sort(),
    );
    expect(row).toMatchObject({
      tenant_id: 'demo-shop',
      segment_id: 'web',
      type: 'Search',
      phrase: event.phrase,
      result_ids: ['SKU-1', 'SKU-7'],
      filters: [{ field: 'brand', values: ['x', 'ÿ', '鞋'] }],
      consent_personalization: false,
      context_locale: 'da-DK',
      properties: '{"nested":{"list":[1,2.5,0,null,true,"x"],"":{}}}',
      timestamp,
      sent_at: sentAt,
      receipt_id: null,
      receipt_index: 1,
      schema_version: 2,
      order_id: null,
      lines: null,
    });
    const skewMs = row!.skew_ms as number;
    expect(skewMs).toBe(Date.parse(row!.received_at as string) - Date.parse(sentAt));
    expect(row!.event_time).toBe(new Date(Date.parse(timestamp) + skewMs).toISOString().replace('Z', '456Z'));
    expect(await receiver.stored()).toEqual(before);
  });

  it.each(['?dryRun=true', '?%64ryRun=1', '?dryRun=1&'])('is asked for with %s as well', async (query) => {
    const before = await receiver.stored();
    const response = await receiver.post({ instrumentationKey: key, events: [anEvent()] }, { query });
    expect([response.status, await response.json()]).toMatchObject([200, { accepted: 1, rejected: [] }]);
    expect(await receiver.stored()).toEqual(before);
  });

  const unsure = [
    '?dryRun ?dryRun= ?dryRun=yes ?dryRun=TRUE ?dryRun=2 ?dryRun=1%20 ?dryRun=true%0D ?dry_run=1 ?dry-run=1 ?DRYRUN=1',
    '?dryrun=true ?dry=1 ?test=1 ?dryRun[]=1 ??dryRun=1 ?dryRun=1&dryRun=0 ?dryRun=0&dryRun=1 ?dryRun=1&dryRun=1',
    '?amp;dryRun=1 ?validateOnly=true ?dryRuns=1',
  ].flatMap((line) => line.split(' '));
  it.each(unsure)('that nobody can be sure of is refused and stores nothing: %s', async (query) => {
    const before = await receiver.stored();
    for (const body of [
      { instrumentationKey: key, events: [anEvent()] },
      { instrumentationKey: key, events: [1] },
      'no',
    ]) {
      const response = await receiver.post(body, { query, headers: { origin: 'https://shop.example' } });
      expect(response.headers.get('access-control-allow-origin')).toBe('https://shop.example');
      const answer = (await response.json()) as { code: string; message: string };
      expect([response.status, answer.code]).toEqual([400, 'parameter_invalid']);
      expect(answer.message).toContain('?dryRun=1');
    }
    expect(await receiver.stored()).toEqual(before);
  });

  it.each(['?dryRun=0', '?dryRun=false', '?', '?_=1700000000000', '?utm_source=mail&v=2', '?%ff=1'])(
    'is not meant by %s',
    async (query) => {
      const response = await receiver.post({ instrumentationKey: key, events: [anEvent()] }, { query });
      const { receiptId } = (await response.json()) as { receiptId: string };
      expect(response.status).toBe(202);
      expect((await receiver.resolve(receiptId)).events).toHaveLength(1);
    },
  );

  it('answers the status of the real send where every event would be refused', async () => {
    const events = [anEvent('Search', { phrase: undefined }), 1];
    const body = { instrumentationKey: key, events };
    const before = await receiver.stored();
    const dry = await receiver.post(body, { query: '?dryRun=1' });
    const told = (await dry.json()) as { code: string; message: string; rejected: unknown[] };
    expect(told).toMatchObject({ code: 'no_valid_event', accepted: 0, rows: [] });
    expect(told.message).toContain('nothing was stored');
    expect(await receiver.stored()).toEqual(before);
    const real = await receiver.post(body);
    expect([real.status, await real.json()]).toMatchObject([dry.status, { code: told.code, rejected: told.rejected }]);
  });

  it('needs a valid key', async () => {
    const response = await receiver.post(
      { instrumentationKey: 'ik_nobody', events: [anEvent()] },
      { query: '?dryRun=1' },
    );
    expect(response.status).toBe(401);
  });

  it('shows nested names as the lake has them', async () => {
    const body = { instrumentationKey: key, events: [FULL_EVENTS[3]] };
    const { rows } = (await (await receiver.post(body, { query: '?dryRun=1' })).json()) as {
      rows: { lines: object[] }[];
    };
    expect(rows[0]!.lines).toEqual([
      {
        product_id: 'SKU-1',
        variant_id: 'V',
        quantity: 2,
        unit_price: 249.975,
        discount: 0.1,
        search_id: 'search-1',
        recommendation_id: null,
        list_id: null,
        name: null,
        kind: null,
        amount: null,
        inferred: null,
        properties: '{"engraving":"For Søren","gift":true}',
      },
    ]);
  });
});

describe('operators', () => {
  it('can ask for health, readiness, metrics and the API document', async () => {
    const get = (path: string): Promise<Response> => fetch(`${receiver.url}${path}`);
    expect(await (await get('/healthz')).json()).toEqual({ status: 'ok' });
    expect(await (await get('/readyz')).json()).toMatchObject({ status: 'ready', keysStaleSeconds: 0 });
    expect(await (await get('/openapi.json')).json()).toMatchObject({ openapi: '3.1.0' });
    expect(await receiver.metric('spor_ingest_events_accepted_total')).toBeGreaterThan(0);
    expect(await receiver.metric('spor_ingest_requests_total{code="accepted"')).toBeGreaterThan(0);
    expect((await fetch(`${receiver.url}/healthz`, { method: 'HEAD' })).status).toBe(200);
    const refused = await fetch(`${receiver.url}/readyz`, { method: 'DELETE' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});
