import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStream } from '../../cli/stream.ts';
import { balanceOf } from '../../scripts/contract/balance.ts';
import { runContracts } from '../../scripts/contract/contracts.ts';
import { eventColumns } from '../../schemas/columns.ts';
import { secretHash } from '../../schemas/keys.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { startOtlpCollector } from '../support/otlpCollector.ts';
import { runStack, type RunningStack } from '../support/runningStack.ts';
import { runScript } from '../support/runScript.ts';
import { until } from '../support/until.ts';
import { utcDay } from '../../runtime/units.ts';

let running: RunningStack;
let collector: Awaited<ReturnType<typeof startOtlpCollector>>;

beforeAll(async () => {
  collector = await startOtlpCollector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, SPOR_TRACE_ONE_OF: '1000000000' };
  running = await runStack({ env });
});

afterAll(async () => {
  await running?.close();
  await collector?.stop();
});

/** Within the accepted 30 days whenever the test runs, and exact to the microsecond. */
function at(minutesAgo: number): string {
  return `${new Date(Date.now() - minutesAgo * 60_000).toISOString().slice(0, -1)}456Z`;
}

function search(change: Record<string, unknown> = {}): Record<string, unknown> & { eventId: string } {
  return {
    eventId: randomUUID(),
    type: 'Search',
    timestamp: at(1),
    sessionId: 's-1',
    phrase: 'boots',
    resultsCount: 3,
    ...change,
  };
}

async function count(tenantId: string): Promise<number> {
  return Number((await running.ask(tenantId, 'select count(*) from events')).rows[0]![0]);
}

describe('an event', () => {
  it('is one trace from its POST to its commit, if its sender traces it', async () => {
    const key = await running.createKey('traced', 'web');
    const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
    for (const flags of ['00', '01']) {
      const traceparent = `00-${traceId}-${spanId}-${flags}`;
      expect((await running.post(key, { events: [search()] }, { traceparent })).status).toBe(202);
    }
    await until(() => collector.spans.some(({ name }) => name === 'commit'));
    await until(() => collector.spans.some(({ name }) => name === 'receive'));
    const told = collector.spans.map(({ service, name }) => `${service}: ${name}`).sort();
    expect(told).toEqual([
      'spor-ingest: judge',
      'spor-ingest: publish',
      'spor-ingest: receive',
      'spor-processor: build',
      'spor-processor: commit',
      'spor-processor: wait for a window',
    ]);
    const root = collector.spans.find(({ name }) => name === 'receive')!;
    expect(root).toMatchObject({ traceId, parentSpanId: spanId });
    for (const span of collector.spans) {
      expect(span.traceId).toBe(traceId);
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    }
    const parts = collector.spans.filter((span) => span !== root);
    expect(parts.every(({ parentSpanId }) => parentSpanId === root.spanId)).toBe(true);
    const attributes = collector.spans.find(({ name }) => name === 'commit')!.attributes;
    expect(attributes).toContainEqual({ key: 'spor.tenant', value: { stringValue: 'traced' } });
  });

  it('becomes exactly the row it was, whatever its type', async () => {
    const key = await running.createKey('every-field', 'web');
    const common = {
      sessionId: 's-1',
      anonymousId: 'a-1',
      userId: 'ünïcode-ユーザー',
      consent: { analytics: true, personalization: false },
      context: { url: 'https://shop.example/?q=1', referrer: 'https://example.org/', locale: 'da-DK', channel: 'web' },
      properties: { campaign: 'autumn', nested: { list: [1, 2.5, null, true], text: 'line\nbreak "quoted" \\ ✓' } },
    };
    const events = [
      {
        eventId: randomUUID(),
        type: 'Search',
        timestamp: at(4),
        ...common,
        searchId: 'q-1',
        phrase: 'running shoes',
        resultsCount: 128,
        resultIds: ['SKU-1', 'SKU-7'],
        page: 2,
        pageSize: 24,
        sort: 'price',
        filters: [
          { field: 'brand', values: ['x', 'y'] },
          { field: 'size', values: [] },
        ],
      },
      {
        eventId: randomUUID(),
        type: 'ProductClicked',
        timestamp: at(3),
        ...common,
        productId: 'SKU-7',
        variantId: 'SKU-7-42',
        position: 26,
        searchId: 'q-1',
        listId: 'l-1',
        recommendationId: 'r-1',
        price: 1999.9,
        currency: 'DKK',
      },
      {
        eventId: randomUUID(),
        type: 'ProductAddedToCart',
        timestamp: at(2),
        ...common,
        productId: 'SKU-7',
        quantity: 0.3355,
        variantId: 'SKU-7-42',
        unitPrice: 99999999999.9999,
        currency: 'DKK',
        searchId: 'q-1',
        listId: 'l-1',
      },
      {
        eventId: randomUUID(),
        type: 'OrderCreated',
        timestamp: at(1),
        ...common,
        orderId: 'O-1',
        currency: 'DKK',
        total: 4049.75,
        tax: 809.95,
        shipping: 49.95,
        discount: 0.1,
        couponCodes: ['AUTUMN', 'VIP'],
        lines: [
          { productId: 'SKU-7', variantId: 'SKU-7-42', quantity: 2, unitPrice: 1999.9, discount: 0.1, searchId: 'q-1' },
          { productId: 'SKU-9', quantity: 1.5, unitPrice: 33.3333 },
        ],
      },
    ];
    const sentAt = new Date().toISOString();
    const response = await running.post(key, { sentAt, events }, { 'user-agent': 'e2e/1' });
    expect(response.status).toBe(202);
    const answer = (await response.json()) as { receiptId: string; accepted: number; rejected: unknown[] };
    expect(answer).toMatchObject({ accepted: 4, rejected: [] });

    await until(async () => (await count('every-field')) === 4);
    const { columns, rows } = await running.ask('every-field', 'select * from events order by event_time');
    const named = rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
    const expected = events.map((event, index) => expectedRow(event, { answer, index, sentAt }));
    for (const [index, row] of named.entries()) expect(withoutServerFields(row)).toEqual(expected[index]);
    for (const row of named) expect(Math.abs(Date.parse(String(row.received_at)) - Date.now())).toBeLessThan(60_000);
    expect(named[0]!.date).toBe(at(4).slice(0, 10));
  });

  it('is stored once, however often it is sent', async () => {
    const key = await running.createKey('resender', 'web');
    const batch = { events: [search(), search()] };
    for (let times = 0; times < 3; times++) expect((await running.post(key, batch)).status).toBe(202);
    // A later event in the same stream proves that the resends before it have been worked off.
    expect((await running.post(key, { events: [search({ phrase: 'last' })] })).status).toBe(202);
    await until(async () => (await count('resender')) >= 3);
    await until(
      async () =>
        Number((await running.ask('resender', "select count(*) from events where phrase = 'last'")).rows[0]![0]) === 1,
    );
    expect(await count('resender')).toBe(3);
  });

  it('that is refused does not sink its batch, and lies whole in the quarantine', async () => {
    const key = await running.createKey('careless', 'web');
    const bad = { ...search({ phrase: [] }), unusual: 'ø' };
    const response = await running.post(key, { events: [search(), bad, search()] });
    expect(response.status).toBe(202);
    const answer = (await response.json()) as { receiptId: string; rejected: { index: number; code: string }[] };
    expect(answer.rejected).toMatchObject([{ index: 1, eventId: bad.eventId }]);
    const quarantined = async (): Promise<unknown[][]> =>
      (await running.ask('careless', 'select receipt_id, receipt_index, code, event_id, raw from quarantine')).rows;
    await until(async () => (await quarantined()).length === 1 && (await count('careless')) === 2);
    const [row] = await quarantined();
    expect(row!.slice(0, 4)).toEqual([answer.receiptId, 1, answer.rejected[0]!.code, bad.eventId]);
    expect(JSON.parse(String(row![4]))).toEqual(bad);
  });
});

describe('tenants', () => {
  it('never see each other', async () => {
    const [a, b] = [await running.createKey('tenant-a', 'web'), await running.createKey('tenant-b', 'web')];
    await running.post(a, { events: [search({ phrase: 'only a', userId: 'tenant-b' })] });
    await running.post(b, { events: [search({ phrase: 'only b' }), search({ phrase: 'only b' })] });
    await until(async () => (await count('tenant-a')) === 1 && (await count('tenant-b')) === 2);
    const of = async (tenant: string): Promise<unknown[][]> =>
      (await running.ask(tenant, 'select distinct tenant_id, segment_id, phrase from events')).rows;
    expect(await of('tenant-a')).toEqual([['tenant-a', 'web', 'only a']]);
    expect(await of('tenant-b')).toEqual([['tenant-b', 'web', 'only b']]);
    const theirs = `${running.stack.lakeUrl.slice('file:'.length)}/events/tenant=tenant-b/segment=web/date=*/*.parquet`;
    await expect(running.ask('tenant-a', `select * from read_parquet('${theirs}')`)).rejects.toThrow(/40[03]/);
  });

  it('cannot be chosen by the body', async () => {
    const key = await running.createKey('honest', 'web');
    const response = await running.post(key, { tenantId: 'victim', events: [search()] });
    expect(await response.json()).toMatchObject({
      corrections: [{ kind: 'left_out', path: '/tenantId' }],
    });
    await until(async () => (await count('honest')) === 1);
    expect(await count('victim')).toBe(0);
    const event = await running.post(key, { events: [search({ tenantId: 'victim' })] });
    expect(await event.json()).toMatchObject({ code: 'no_valid_event', rejected: [{ code: 'field_unknown' }] });
  });
});

describe('a key', () => {
  it('is refused once revoked, and its rows stay', async () => {
    const key = await running.createKey('leaky', 'web');
    expect((await running.post(key, { events: [search()] })).status).toBe(202);
    await until(async () => (await count('leaky')) === 1);
    await running.keys.update(secretHash(key), (record) => ({ ...record, revokedAt: new Date().toISOString() }));
    await until(async () => (await running.post(key, { events: [search()] })).status === 401);
    const refused = await running.post(key, { events: [search()] });
    expect(await refused.json()).toMatchObject({ code: 'key_revoked' });
    const rows = await count('leaky');
    expect(rows).toBeGreaterThanOrEqual(1);
  });

  it('works beside its successor while they overlap', async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const old = await running.createKey('rotating', 'web', { expiresAt });
    const next = await running.createKey('rotating', 'web');
    expect((await running.post(old, { events: [search()] })).status).toBe(202);
    expect((await running.post(next, { events: [search()] })).status).toBe(202);
    await until(async () => (await count('rotating')) === 2);
    const ended = new Date(Date.now() - 1).toISOString();
    await running.keys.update(secretHash(old), (record) => ({ ...record, expiresAt: ended }));
    await until(async () => (await running.post(old, { events: [search()] })).status === 401);
    expect((await running.post(next, { events: [search()] })).status).toBe(202);
  });
});

describe('a receipt', () => {
  it('says what became of each event, over HTTP and on the command line, to its own tenant only', async () => {
    const key = await running.createKey('receipts', 'web');
    const [good, bad] = [search(), search({ phrase: [] })];
    const answer = await running.post(key, { events: [good, bad] });
    const { receiptId } = (await answer.json()) as { receiptId: string };
    const path = `/api/receipts/${receiptId}`;
    const look = async () => (await (await running.get('receipts', path)).json()) as { states: unknown };
    await until(async () => JSON.stringify((await look()).states) === '{"committed":1,"quarantined":1}');
    expect(await look()).toMatchObject({
      receiptId,
      events: [
        { index: 0, eventId: good.eventId, state: 'committed', file: expect.stringMatching(/\.parquet$/) },
        { index: 1, eventId: bad.eventId, state: 'quarantined', code: 'field_type', path: '/phrase' },
      ],
    });
    expect((await running.get('receipts-stranger', path)).status).toBe(404);
    expect((await running.get('receipts', '/api/receipts/nonsense')).status).toBe(400);
    const { code, stdout } = await runScript('cli/spor.ts', ['receipt', '--tenant', 'receipts', receiptId], {
      env: running.stack.env,
    });
    expect(stdout).toContain('1 accepted, 1 rejected');
    expect(stdout).toMatch(/committed .*segment=web/);
    expect(code).toBe(0);
    const status = await runScript('cli/spor.ts', ['status', '--tenant', 'receipts', '--json'], {
      env: running.stack.env,
    });
    expect(JSON.parse(status.stdout)).toMatchObject({ tenantId: 'receipts', acknowledgedBefore: expect.any(String) });
    const today = utcDay(Date.now());
    const complete = await running.get('receipts', `/api/completeness?date=${today}`);
    expect(await complete.json()).toMatchObject({ tenantId: 'receipts', complete: false });
  });
});

describe('any request', () => {
  it('has an answer that the documents describe, and the days add up afterwards', async () => {
    const { ingestUrl, queryUrl, nats, lakeUrl } = running.stack;
    const connection = await openStream(nats, 'NATS_URL');
    try {
      const report = await runContracts({ ingestUrl, queryUrl, connection, requests: 120, seed: 19 });
      expect([...report.receiver.outside, ...report.query.outside]).toEqual([]);
      expect(report.accepted).toBeGreaterThan(0);
      expect(await balanceOf({ connection, lakeUrl })).toEqual({ accepted: report.accepted, faults: [] });
    } finally {
      await connection.close();
    }
  });
});

const SERVER_FIELDS = ['received_at', 'key_id', 'key_kind', 'date', 'segment'];

function withoutServerFields(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !SERVER_FIELDS.includes(name)));
}

/** What the row must be, worked out from the event alone; columns it has nothing for are null. */
function expectedRow(
  event: Record<string, unknown>,
  { answer, index, sentAt }: { answer: { receiptId: string }; index: number; sentAt: string },
): Record<string, unknown> {
  const { consent, context, lines, ...flat } = event as Record<string, Record<string, unknown>>;
  const row: Record<string, unknown> = Object.fromEntries(ALL_COLUMNS.map((name) => [name, null]));
  for (const [field, value] of Object.entries(flat)) row[snake(field)] = lakeValue(field, value);
  for (const [field, value] of Object.entries(consent ?? {})) row[`consent_${field}`] = value;
  for (const [field, value] of Object.entries(context ?? {})) row[`context_${field}`] = value;
  if (lines) row.lines = (lines as unknown as Record<string, unknown>[]).map(lakeLine);
  return {
    ...row,
    tenant_id: 'every-field',
    segment_id: 'web',
    scope: 'web',
    event_time: row.timestamp,
    sent_at: micros(sentAt),
    skew_ms: 0,
    receipt_id: answer.receiptId,
    receipt_index: index,
    schema_version: event.type === 'OrderCreated' ? 3 : 2,
    user_agent: 'e2e/1',
  };
}

const MONEY = ['price', 'unitPrice', 'total', 'tax', 'shipping', 'discount', 'quantity'];

function lakeValue(field: string, value: unknown): unknown {
  if (field === 'timestamp') return micros(String(value));
  if (field === 'properties') return JSON.stringify(value);
  if (MONEY.includes(field)) return (value as number).toFixed(4);
  return value;
}

function lakeLine(line: Record<string, unknown>): Record<string, unknown> {
  const names =
    'product_id variant_id quantity unit_price discount search_id amount kind list_id name recommendation_id inferred properties';
  const all = Object.fromEntries(names.split(' ').map((name) => [name, null]));
  const given = Object.entries(line).map(([field, value]) => [snake(field), lakeValue(field, value)]);
  return { ...all, ...Object.fromEntries(given) };
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** As the query server writes times: UTC, milliseconds, and microseconds only where there are any. */
function micros(time: string): string {
  const [seconds, fraction = ''] = time.replace('Z', '').split('.');
  return `${seconds}.${fraction.padEnd(6, '0').replace(/000$/, '')}Z`;
}

const ALL_COLUMNS = eventColumns(createRegistry())
  .map(({ name }) => name)
  .filter((name) => !SERVER_FIELDS.includes(name));
