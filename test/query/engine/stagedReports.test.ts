import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LakeError } from '../../../lake/errors.ts';
import { createStages, ORDER_TYPES } from '../../../query/insight/stages.ts';
import { insightViews } from '../../../query/insight/views.ts';
import { inProcess, type Executor } from '../../../query/sandbox/executor.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';
import { createEventTable, openDuckDb } from '../insight/eventTable.ts';
import { laterWords } from '../insight/laterWords.ts';
import { FROM, simulatedEvents, stored, TO } from '../insight/ledger.ts';
import { openReportLake, type ReportLake } from '../insight/reportLake.ts';

const BOT = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
const ASKED = { from: FROM, to: TO };
const LONGER = { from: FROM, to: '2026-11-20' };
/** Ended before the last events came, so that a commit of these changes nothing in it. */
const BEFORE = { from: '2026-10-31', to: '2026-11-01' };
/** Later than the 8 days after BEFORE that its reports read. */
const LATEST = "date >= DATE '2026-11-10'";

let duckdb: Awaited<ReturnType<typeof openDuckDb>>;
beforeAll(async () => {
  duckdb = await openDuckDb();
  const events = simulatedEvents(11).filter(({ segmentId }) => segmentId === 'app');
  const all = [...stored(events)].map((event, index) => (index % 50 ? event : { ...event, userAgent: BOT }));
  await createEventTable(duckdb.connection, [...all, ...laterWords(events)]);
  // The same week again ten days later, under other ids.
  await duckdb.connection.run(`INSERT INTO events_all BY NAME
    SELECT * REPLACE (event_id || '-b' AS event_id, order_id || '-b' AS order_id, session_id || '-b' AS session_id,
      event_time + INTERVAL 10 DAY AS event_time, received_at + INTERVAL 10 DAY AS received_at, date + 10 AS date)
    FROM events_all`);
});
afterAll(() => duckdb.close());

/** A lake that counts what it builds and runs. */
async function openCounted(where: string): Promise<{ lake: ReportLake; counts: { build: number; run: number } }> {
  const executor = inProcess();
  const counts = { build: 0, run: 0 };
  const counted: Executor = {
    ...executor,
    build: (job) => (counts.build++, executor.build(job)),
    run: (job) => (counts.run++, executor.run(job)),
  };
  return { lake: await openReportLake(duckdb.connection, { where, executor: counted }), counts };
}

async function expectSame(lake: ReportLake, name: string, period: { from: string; to: string }): Promise<void> {
  const [staged, plain] = [
    await lake.answer({ name, ...period }),
    await lake.answer({ name, ...period }, { staged: false }),
  ];
  expect(staged.rowCount, name).toBeGreaterThan(0);
  expect([staged.columns, staged.botsLeftOut], name).toEqual([plain.columns, plain.botsLeftOut]);
  expect(JSON.stringify(staged.rows, twelveDigits), name).toBe(JSON.stringify(plain.rows, twelveDigits));
}

/** The order of a sum decides the last digits of a double. */
function twelveDigits(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(12)) : value;
}

describe('reports over stages', () => {
  test('are those over the data files, after each commit', async () => {
    const { lake, counts } = await openCounted(`NOT (${LATEST})`);
    try {
      await expectSame(lake, 'search_phrases', ASKED);
      await lake.commit(`${LATEST} AND type NOT LIKE 'Order%'`);
      for (const name of ['search_phrases', 'search_rising']) await expectSame(lake, name, LONGER);
      await lake.commit(`${LATEST} AND type LIKE 'Order%'`);
      for (const name of ['search_revenue', 'list_funnel', 'interactions', 'revenue_daily'])
        await expectSame(lake, name, LONGER);
    } finally {
      await lake.close();
    }
    expect(counts.build).toBeGreaterThan(0);
  });

  test('share what they are made of, and a commit changes only what reads it', async () => {
    const { lake, counts } = await openCounted(`NOT (${LATEST})`);
    try {
      await lake.report({ name: 'search_overview', ...BEFORE });
      const first = { ...counts };
      await lake.report({ name: 'search_phrases', ...BEFORE });
      expect(counts).toEqual({ build: first.build, run: first.run + 1 });
      await lake.commit(`${LATEST} AND type NOT LIKE 'Order%'`);
      const { snapshot } = await lake.answer({ name: 'search_overview', ...BEFORE });
      expect(snapshot.version).toBe(1);
      // Only the new rows were looked at for orders. No other part and no report was made again.
      expect(counts).toEqual({ build: first.build + 1, run: first.run + 1 });
      await lake.commit(`${LATEST} AND type LIKE 'Order%'`);
      await lake.report({ name: 'search_overview', ...BEFORE });
      expect(counts).toEqual({ build: first.build + 3, run: first.run + 1 });
    } finally {
      await lake.close();
    }
  });

  test('read the data files where stages need too much memory, and do not try again', async () => {
    const executor = inProcess();
    let builds = 0;
    const refused = new LakeError('query_out_of_memory', 'The query needs more memory than allowed.');
    const failing: Executor = { ...executor, build: () => (builds++, Promise.reject(refused)) };
    const lake = await openReportLake(duckdb.connection, { executor: failing });
    try {
      await expectSame(lake, 'search_phrases', ASKED);
      const tried = builds;
      expect(tried).toBeGreaterThan(0);
      await expectSame(lake, 'search_daily', ASKED);
      expect(builds).toBe(tried);
    } finally {
      await lake.close();
    }
  });
});

describe('stages', () => {
  const stages = createStages(REGISTRY, { allHistory: false });

  test('each reads only earlier ones, events and events of orders', () => {
    for (const [index, { name, reads }] of stages.all.entries()) {
      const earlier = ['events', 'order_events', ...stages.all.slice(0, index).map((stage) => stage.name)];
      expect(
        reads.filter((read) => !earlier.includes(read)),
        name,
      ).toEqual([]);
    }
  });

  test('orders are made of the types that their views name', () => {
    const views = insightViews(REGISTRY).filter(({ name }) => ['all_orders', 'refunds'].includes(name));
    const named = views.flatMap(({ sql }) => [...sql.matchAll(/'(Order[A-Z]\w+)'/g)].map(([, type]) => type));
    expect(new Set(named)).toEqual(new Set(ORDER_TYPES));
  });

  test('a report that reads rows of bots, or what was refused, has none', () => {
    expect(stages.over('SELECT count(*) FROM events_with_bots')).toBeUndefined();
    expect(stages.over('SELECT count(*) FROM quarantine')).toBeUndefined();
    expect(stages.over('SELECT count(*) FROM events')).toMatchObject({ reads: ['events'], orders: 'none' });
    expect(stages.over('SELECT count(*) FROM orders')).toMatchObject({ reads: ['all_orders'], orders: 'ofDays' });
    expect(stages.over('SELECT count(*) FROM refunds')).toMatchObject({ reads: ['refunds'], orders: 'all' });
  });
});
