import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { anEvent, messageOf, uuid7, type TestEvent } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';

let bench: TestPipeline;

beforeAll(async () => {
  bench = await startTestPipeline();
  await bench.processor();
});
afterAll(() => bench.stop());

test('every field of every event type arrives as it was sent', async () => {
  const order: TestEvent = {
    eventId: 'A8098C1A-F86E-11DA-BD1A-00112444BE1E',
    type: 'OrderCreated',
    timestamp: '2026-11-22T23:59:59.123456+01:00',
    anonymousId: 'anon-1',
    userId: 'kunde-æøå-😀',
    consent: { analytics: true, personalization: false },
    context: { url: 'https://shop.example/tak', referrer: 'https://shop.example/', locale: 'da-DK', channel: 'mail' },
    properties: { nested: { list: [1, 2.5, 'x', null, true] }, 'quote"': "it's" },
    orderId: 'o-1',
    currency: 'DKK',
    total: 99999999999.9999,
    tax: 0.1,
    shipping: 0,
    discount: 12.3456,
    couponCodes: ['A', 'B'],
    lines: [
      {
        productId: 'p1',
        variantId: 'v1',
        quantity: 2,
        unitPrice: 0.0001,
        discount: 1,
        searchId: 's1',
        properties: { engraving: { text: 'Søren 👟', 'size"': 42 }, gift: [true, null] },
      },
      { productId: 'p2', quantity: 0.5, unitPrice: 100 },
    ],
  };
  const search: TestEvent = {
    eventId: uuid7(),
    type: 'Search',
    timestamp: '2026-11-23T10:00:00Z',
    sessionId: 's',
    searchId: 'search-1',
    phrase: '',
    resultsCount: 1_000_000_000,
    resultIds: ['b', 'a'],
    page: 1,
    pageSize: 24,
    sort: 'price',
    filters: [{ field: 'brand', values: ['x', 'y'] }],
    experiments: [{ id: 'ranking', variant: 'b' }],
  };
  const shown: TestEvent = {
    eventId: uuid7(),
    type: 'ProductsShown',
    timestamp: '2026-11-23T10:00:00.5Z',
    sessionId: 's',
    products: [
      { productId: 'b', position: 1 },
      { productId: 'a', variantId: 'a-42' },
    ],
    searchId: 'search-1',
    listName: 'Løbesko',
    experiments: [],
  };
  await bench.publish(
    messageOf('fields', 'web', [
      {
        events: [order, search, shown],
        receivedAt: new Date('2026-11-23T10:00:01.250Z'),
        sentAt: new Date('2026-11-23T09:59:00.000Z'),
        skewMs: 1_500,
      },
    ]),
  );
  await bench.settled();
  const rows = await bench.rows('events', 'fields');
  expect(rows).toHaveLength(3);
  const stored = rows.find((row) => row.type === 'OrderCreated')!;
  expect(stored).toMatchObject({
    tenant_id: 'fields',
    segment_id: 'web',
    segment: 'web',
    date: '2026-11-22',
    type: 'OrderCreated',
    event_id: order.eventId,
    event_time: '2026-11-22 23:00:00.623456+00',
    timestamp: '2026-11-22 22:59:59.123456+00',
    received_at: '2026-11-23 10:00:01.25+00',
    sent_at: '2026-11-23 09:59:00+00',
    skew_ms: '1500',
    anonymous_id: 'anon-1',
    session_id: null,
    user_id: order.userId,
    consent_analytics: true,
    consent_personalization: false,
    context_url: 'https://shop.example/tak',
    context_channel: 'mail',
    order_id: 'o-1',
    currency: 'DKK',
    total: '99999999999.9999',
    tax: '0.1000',
    shipping: '0.0000',
    discount: '12.3456',
    coupon_codes: ['A', 'B'],
    phrase: null,
    receipt_index: 0,
    schema_version: 1,
    key_id: '0123456789abcdef',
    user_agent: 'test/1.0',
  });
  expect(JSON.parse(String(stored.properties))).toEqual(order.properties);
  const absent = {
    recommendation_id: null,
    list_id: null,
    inferred: null,
    name: null,
    kind: null,
    properties: null,
    amount: null,
  };
  expect(stored.lines).toEqual([
    {
      ...absent,
      product_id: 'p1',
      variant_id: 'v1',
      quantity: '2.0000',
      unit_price: '0.0001',
      discount: '1.0000',
      search_id: 's1',
      properties: '{"engraving":{"text":"Søren 👟","size\\"":42},"gift":[true,null]}',
    },
    {
      ...absent,
      product_id: 'p2',
      variant_id: null,
      quantity: '0.5000',
      unit_price: '100.0000',
      discount: null,
      search_id: null,
    },
  ]);
  expect(rows.find((row) => row.type === 'Search')).toMatchObject({
    date: '2026-11-23',
    phrase: '',
    results_count: 1_000_000_000,
    result_ids: ['b', 'a'],
    filters: [{ field: 'brand', values: ['x', 'y'] }],
    experiments: [{ id: 'ranking', variant: 'b' }],
    products: null,
    receipt_index: 1,
    receipt_id: stored.receipt_id,
  });
  expect(rows.find((row) => row.type === 'ProductsShown')).toMatchObject({
    products: [
      { product_id: 'b', variant_id: null, position: 1 },
      { product_id: 'a', variant_id: 'a-42', position: null },
    ],
    search_id: 'search-1',
    list_name: 'Løbesko',
    experiments: [],
  });
});

test('tenants, segments and dates are kept apart, in rows and in paths, and each file is sorted', async () => {
  const day = new Date('2026-11-20T12:00:00Z');
  const next = new Date('2026-11-21T12:00:00Z');
  for (const [tenant, segment] of [
    ['one', 'web'],
    ['one', 'app'],
    ['two', 'web'],
  ] as const) {
    const events = Array.from({ length: 30 }, (_, index) =>
      anEvent(index, index % 2 ? day : next, { userId: `${tenant}/${segment}` }),
    );
    await bench.publish(messageOf(tenant, segment, [{ events }]));
  }
  await bench.settled();
  for (const tenant of ['one', 'two']) {
    const segments = tenant === 'one' ? ['app', 'web'] : ['web'];
    const groups = await bench.rows(
      'events',
      tenant,
      'tenant_id, segment_id, segment, date, user_id, event_time::DATE AS day',
    );
    expect(groups).toHaveLength(30 * segments.length);
    for (const row of groups) {
      expect(row.user_id).toBe(`${tenant}/${String(row.segment)}`);
      expect(row).toMatchObject({ tenant_id: tenant, segment_id: row.segment, date: row.day });
    }
    const { files } = await bench.table('events', tenant).snapshot();
    const partitions = [...files.keys()].map((path) => path.split('/').slice(0, 2).join('/'));
    expect(new Set(partitions)).toEqual(
      new Set(
        segments.flatMap((segment) => ['2026-11-20', '2026-11-21'].map((date) => `segment=${segment}/date=${date}`)),
      ),
    );
    for (const path of files.keys()) {
      const order = await bench
        .rows('events', tenant, 'type, event_time, filename', 'filename, file_row_number')
        .then((rows) =>
          rows
            .filter((row) => String(row.filename).endsWith(path))
            .map((row) => `${String(row.type)} ${String(row.event_time)}`),
        );
      expect(order).toEqual([...order].sort());
    }
  }
});

test('SIGTERM flushes what is read, acknowledges it and gives the shards back at once', async () => {
  const own = await startTestPipeline();
  try {
    const first = await own.processor({ WINDOW_MAX_MS: '60000', LEASE_SECONDS: '300' });
    for (let i = 0; i < 5; i++) await own.publish(messageOf('last', 'web', [{ events: [anEvent(i), anEvent(i + 1)] }]));
    await expect.poll(() => first.log().includes('working on the shard')).toBe(true);
    await until(async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${first.port}/metrics`)).text();
      return /^spor_processor_window_messages\{[^}]*\} 5$/m.test(metrics);
    });
    expect(await own.rows('events', 'last')).toHaveLength(0);
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await own.rows('events', 'last')).toHaveLength(10);
    await own.settled();
    // A lease of 300 s would keep the next one waiting beyond what any wait here has, were it not given back.
    await own.processor();
    await own.publish(messageOf('last', 'web', [{ events: [anEvent(1)] }]));
    await own.settled();
    expect(await own.rows('events', 'last')).toHaveLength(11);
  } finally {
    await own.stop();
  }
});
