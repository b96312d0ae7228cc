import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listReports } from '../../../query/insight/reports.ts';
import { chainsByRules, chainsByTruth, grouped, type Chains } from './chains.ts';
import { createEventTable, openDuckDb } from './eventTable.ts';
import * as commerce from './expectedCommerce.ts';
import { EXPERIMENT_PARAMETERS, expectedExperimentMetrics, expectedExperiments } from './expectedExperiments.ts';
import {
  expectedJudgments,
  expectedLostMoney,
  expectedQuality,
  JUDGMENT_PARAMETERS,
  QUALITY_PARAMETERS,
} from './expectedJudgments.ts';
import * as personal from './expectedPersonal.ts';
import * as product from './expectedProduct.ts';
import * as shown from './expectedShown.ts';
import * as search from './expectedSearch.ts';
import type { Asked } from './expectedSearch.ts';
import { laterWords } from './laterWords.ts';
import { factsOf, FROM, simulatedEvents, stored, TO, toldEvents, withExperiments } from './ledger.ts';
import { openReportLake, type ReportLake } from './reportLake.ts';
import { createViews, expectSameRows, query, report, type Row } from './rows.ts';

const ALL_ROWS = { limit: 2_000_000_000 };

interface Check {
  parameters?: Record<string, number>;
  key: readonly string[];
  expected: (asked: Asked) => Row[];
  /** Reports of the whole tenant take no segment. */
  unsegmented?: boolean;
  /** Digits that agree, where two calculations take different ways. */
  digits?: number;
}

/** Each report with its independent calculation. */
const CHECKS: Record<string, Check> = {
  search_overview: { key: [], expected: search.expectedOverview },
  search_daily: { key: ['date'], expected: search.expectedDaily },
  search_phrases: { parameters: ALL_ROWS, key: ['phrase'], expected: search.expectedPhrases },
  search_revenue: { parameters: ALL_ROWS, key: ['phrase', 'currency'], expected: search.expectedRevenue },
  phrase_sales: {
    parameters: ALL_ROWS,
    key: ['phrase', 'product_id', 'currency'],
    expected: search.expectedPhraseSales,
  },
  search_positions: { key: ['position'], expected: search.expectedPositions },
  search_rising: { parameters: { ...ALL_ROWS, min_searches: 1 }, key: ['phrase'], expected: search.expectedRising },
  search_no_clicks: {
    parameters: { ...ALL_ROWS, min_searches: 1 },
    key: ['phrase'],
    expected: search.expectedNoClicks,
  },
  search_zero_results: { parameters: ALL_ROWS, key: ['phrase'], expected: search.expectedZeroResults },
  judgments: {
    parameters: { ...ALL_ROWS, ...JUDGMENT_PARAMETERS },
    key: ['phrase', 'product_id'],
    expected: expectedJudgments,
    digits: 9,
  },
  search_quality: {
    parameters: { ...ALL_ROWS, ...QUALITY_PARAMETERS },
    key: ['date', 'phrase'],
    expected: expectedQuality,
    digits: 9,
  },
  lost_money: {
    parameters: { ...ALL_ROWS, min_searches: 1 },
    key: ['phrase', 'reason'],
    expected: expectedLostMoney,
    digits: 9,
  },
  search_refinements: {
    parameters: { ...ALL_ROWS, min_refinements: 1 },
    key: ['phrase', 'next_phrase'],
    expected: search.expectedRefinements,
  },
  search_filters: { parameters: ALL_ROWS, key: ['field', 'value'], expected: search.expectedFilters },
  product_funnel: { parameters: ALL_ROWS, key: ['product_id'], expected: product.expectedFunnel },
  list_funnel: { parameters: ALL_ROWS, key: ['source', 'list', 'product_id'], expected: product.expectedListFunnel },
  product_impressions: { parameters: ALL_ROWS, key: ['product_id'], expected: shown.expectedImpressions },
  phrase_impressions: {
    parameters: ALL_ROWS,
    key: ['phrase', 'product_id'],
    expected: shown.expectedPhraseImpressions,
  },
  cart_changes: { parameters: ALL_ROWS, key: ['product_id'], expected: shown.expectedCartChanges },
  checkout_funnel: { key: ['step'], expected: shown.expectedCheckoutFunnel },
  product_trend: { parameters: ALL_ROWS, key: ['product_id'], expected: product.expectedTrend },
  product_revenue: { parameters: ALL_ROWS, key: ['product_id', 'currency'], expected: product.expectedProductRevenue },
  order_status: { key: ['state', 'status', 'test'], expected: commerce.expectedOrderStatus },
  revenue: { key: ['currency'], expected: commerce.expectedRevenueTotals },
  revenue_daily: { key: ['date', 'currency'], expected: commerce.expectedRevenueDaily },
  revenue_sources: { key: ['currency', 'source', 'list'], expected: commerce.expectedRevenueSources },
  repeat_rate: { key: [], expected: commerce.expectedRepeatRate },
  experiments: { key: ['experiment', 'variant'], expected: expectedExperiments, digits: 6 },
  experiment_metrics: {
    parameters: EXPERIMENT_PARAMETERS,
    key: ['experiment', 'variant', 'metric'],
    expected: expectedExperimentMetrics,
    digits: 6,
  },
  interactions: { key: ['scope', 'visitor_id', 'product_id'], expected: personal.expectedInteractions },
  identity_map: {
    key: ['scope', 'anonymous_id', 'user_id'],
    expected: personal.expectedIdentityMap,
    unsegmented: true,
  },
  bought_together: {
    parameters: { ...ALL_ROWS, min_together: 1 },
    key: ['product_a', 'product_b'],
    expected: (asked) => personal.expectedPairs(personal.orderBaskets(asked)),
  },
  clicked_together: {
    parameters: { ...ALL_ROWS, min_together: 1 },
    key: ['product_a', 'product_b'],
    expected: (asked) => personal.expectedPairs(personal.clickBaskets(asked)),
  },
  popularity: {
    parameters: { ...ALL_ROWS, half_life_days: 1.5 },
    key: ['product_id'],
    expected: (asked) => personal.expectedPopularity(asked, 1.5),
  },
  phrase_products: {
    parameters: { ...ALL_ROWS, prior: 2 },
    key: ['phrase', 'product_id'],
    expected: (asked) => personal.expectedPhraseProducts(asked, 2),
  },
};

/** Of what arrived and what was refused, not of the shop: tested with hand-made events. */
const ELSEWHERE = [
  'events_daily',
  'rejections',
  // With a catalogue: catalogueReports.test.ts.
  'category_sales',
  'brand_sales',
  'product_margin',
  'sold_out',
  'unknown_products',
];

/** Rows of a shop without a catalogue, whose products have no names. */
function unnamed(rows: readonly Row[]): Row[] {
  return rows.map((row) => {
    const names = Object.entries(row).filter(([name]) => /^product(_[ab])?_name$/.test(name));
    expect(names.filter(([, value]) => value !== null)).toEqual([]);
    return Object.fromEntries(Object.entries(row).filter((entry) => !names.some(([name]) => name === entry[0])));
  });
}

test('every report has an independent calculation', () => {
  const names = listReports().map(({ name }) => name);
  expect([...Object.keys(CHECKS), ...ELSEWHERE].sort()).toEqual(names.sort());
});

const SEED = 20261123;

/** Attribution as rows of the view, an event's line as "<event id> <line number>". */
function attributionRows({ led }: Chains): Row[] {
  return [...led].map(([item, found]) => ({
    event: 'order' in item ? `${item.order.eventId} ${item.number}` : item.eventId,
    source: found.source,
    search_key: found.searchKey ?? null,
    list_id: found.list ?? null,
    method: found.method,
    click_event_id: found.click ?? null,
    cart_event_id: found.cart ?? null,
  }));
}

describe.each([
  [
    'as a forgetful shop sends it, by the published rules',
    (seed: number) => withExperiments(simulatedEvents(seed)),
    chainsByRules,
    false,
  ],
  [
    'fully told and with shared ids, by what truly happened',
    (seed: number) => toldEvents(withExperiments(simulatedEvents(seed))),
    chainsByTruth,
    true,
  ],
] as const)('a simulated week %s', (_, events, chainsOf, sharedIds) => {
  let close: () => void;
  let lake: ReportLake;
  let chains: Chains;
  beforeAll(async () => {
    const duckdb = await openDuckDb();
    close = () => duckdb.close();
    const all = events(SEED);
    chains = chainsOf(factsOf(all, { sharedIds }));
    await createEventTable(duckdb.connection, [...stored(all), ...laterWords(all)]);
    lake = await openReportLake(duckdb.connection, { sharedIds });
  });
  afterAll(async () => {
    await lake?.close();
    close();
  });

  test.each(Object.keys(CHECKS))('%s', async (name) => {
    const { parameters, key, expected, digits } = CHECKS[name]!;
    const rows = await lake.report({ name, from: FROM, to: TO, parameters });
    expectSameRows(unnamed(rows), expected({ chains }), key, digits);
  });

  const segmented = Object.keys(CHECKS).filter((name) => !CHECKS[name]!.unsegmented);
  test.each(segmented)('%s of one segment', async (name) => {
    const { parameters, key, expected, digits } = CHECKS[name]!;
    const rows = await lake.report({ name, from: FROM, to: TO, parameters, segment: 'app' });
    expectSameRows(unnamed(rows), expected({ chains, segment: 'app' }), key, digits);
  });
});

describe('views of a simulated week', () => {
  let connection: DuckDBConnection;
  let close: () => void;
  let chains: Chains;
  beforeAll(async () => {
    ({ connection, close } = await openDuckDb());
    const events = withExperiments(simulatedEvents(SEED));
    chains = chainsByRules(factsOf(events, { sharedIds: false }));
    await createEventTable(connection, [...stored(events), ...laterWords(events)]);
    await createViews(connection);
  });
  afterAll(() => close());

  test.each(Object.keys(CHECKS))('%s without stages', async (name) => {
    const { parameters, key, expected, digits } = CHECKS[name]!;
    const rows = await report(connection, { name, from: FROM, to: TO, parameters });
    expectSameRows(unnamed(rows), expected({ chains }), key, digits);
  });

  test('attribution is what the rules say, event by event', async () => {
    const rows = await query(
      connection,
      `SELECT event_id || coalesce(' ' || line_number, '') AS event, source, search_key, list_id, method, click_event_id, cart_event_id
       FROM attribution`,
    );
    expectSameRows(rows, attributionRows(chains), ['event']);
  });

  test('against what truly happened, given rows are all right and inferred ones nearly all', async () => {
    const searchIds = new Map(chains.searches.map((search) => [search.eventId, search.sent.searchId]));
    const truths = new Map(chains.facts.map((fact) => [fact.eventId, fact.truth]));
    const rows = await query(
      connection,
      `SELECT event_id, line_number, kind || ' ' || method AS what, search_key, list_id FROM attribution WHERE method <> 'none'`,
    );
    const right = rows.filter((row) => {
      const truth = truths.get(row.event_id as string)!;
      const cause: { search?: string; list?: string } =
        truth.kind === 'order' ? truth.lines[(row.line_number as number) - 1]! : (truth as { search?: string });
      const search = cause.search === undefined ? null : searchIds.get(cause.search);
      return row.search_key === search && row.list_id === (cause.list ?? null);
    });
    const share = (what: string): number =>
      right.filter((row) => row.what === what).length / rows.filter((row) => row.what === what).length;
    expect([share('click given'), share('cart given'), share('order_line given')]).toEqual([1, 1, 1]);
    // A click that says nothing goes to a search that lists the product, though one in ten came from a category.
    expect(share('click inferred')).toBeGreaterThan(0.85);
    expect(share('cart inferred')).toBeGreaterThan(0.98);
    expect(share('order_line inferred')).toBeGreaterThan(0.98);
  });

  test('sessions are the visits', async () => {
    const rows = await query(
      connection,
      `SELECT session_key, started_at, ended_at, date, segment, visitor_id, events, searches, clicks, cart_adds, orders
       FROM sessions`,
    );
    const visits = [...grouped(chains.facts, ({ sessionId }) => sessionId)].map(([session, own]) => {
      const count = (type: string): number => own.filter((fact) => fact.type === type).length;
      return {
        session_key: session,
        started_at: new Date(own[0]!.atMs).toISOString(),
        ended_at: new Date(own.at(-1)!.atMs).toISOString(),
        date: own[0]!.day,
        segment: own[0]!.segment,
        visitor_id: chains.visitorOf(own[0]!).split(' ')[1]!,
        events: own.length,
        searches: count('Search'),
        clicks: count('ProductClicked'),
        cart_adds: count('ProductAddedToCart'),
        orders: chains.orders.filter(({ sessionId }) => sessionId === session).length,
      };
    });
    expectSameRows(rows, visits, ['session_key']);
  });
});
