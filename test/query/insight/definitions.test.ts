import { readFileSync } from 'node:fs';
import type { DuckDBConnection } from '@duckdb/node-api';
import { format, resolveConfig } from 'prettier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { botMacro } from '../../../query/insight/generateBots.ts';
import { LakeError } from '../../../lake/errors.ts';
import { bindReport, runReport, type ReportRequest } from '../../../query/insight/reportRun.ts';
import { listReports } from '../../../query/insight/reports.ts';
import { reportsPage } from '../../../query/insight/reportsPage.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { insightMacros, insightViews, viewsReadBy } from '../../../query/insight/views.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { openDuckDb } from './eventTable.ts';
import { createViews, query } from './rows.ts';
import { PERIOD, storeDay } from './shopDay.ts';

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  await storeDay(connection, [{ type: 'Search', at: '10:00' }]);
  await createViews(connection);
});
afterAll(() => close());

/** Types that Parquet and every reader of it know; DuckDB would write HUGEINT as a double. */
const TYPES = /^(VARCHAR|INTEGER|BIGINT|DOUBLE|BOOLEAN|DATE|TIMESTAMP WITH TIME ZONE|DECIMAL\(\d+,4\))$/;

describe('reports', () => {
  test.each(listReports().map(({ name }) => name))(
    '%s has the columns it documents, in types all readers know',
    async (name) => {
      const bound = bindReport({ name, ...PERIOD });
      const result = await runReport(connection, bound);
      expect(bound.report.columns.map((column) => column.name)).toEqual(result.columnNames());
      expect(
        result
          .columnTypes()
          .map(String)
          .filter((type) => !TYPES.test(type)),
      ).toEqual([]);
    },
  );

  test('the OpenAPI document has each parameter with its type', () => {
    const types = { INTEGER: 'integer', DOUBLE: 'number', TEXT: 'string' };
    const parameters = listReports().flatMap((report) => report.parameters);
    const file = new URL('../../../schemas/generated/queryOpenapi.json', import.meta.url);
    const document = JSON.parse(readFileSync(file, 'utf8')) as {
      paths: Record<string, { get: { parameters: { name: string; schema: { type: string } }[] } }>;
    };
    const documented = document.paths['/api/reports/{name}']!.get.parameters;
    const told = parameters.map(({ name }) => [name, documented.find((one) => one.name === name)?.schema.type]);
    expect(told).toEqual(parameters.map(({ name, type }) => [name, types[type]]));
  });

  test('the page says what the files say', async () => {
    const file = new URL('../../../docs/reports.md', import.meta.url).pathname;
    const config = await resolveConfig(file);
    const page = await format(reportsPage(createRegistry()), { ...config, parser: 'markdown' });
    await expect(page).toMatchFileSnapshot(file);
  });

  const refused = (request: Partial<ReportRequest>): LakeError => {
    try {
      bindReport({ name: 'search_phrases', ...PERIOD, ...request });
    } catch (error) {
      if (error instanceof LakeError) return error;
      throw error;
    }
    throw new Error('it was not refused');
  };

  test.each<[string, Partial<ReportRequest>, string]>([
    ['an unknown name', { name: 'x' }, 'There is no report "x"'],
    ['a path', { name: '../views/events' }, 'There is no report'],
    ['a period the wrong way round', { from: '2026-11-04', to: '2026-11-04' }, 'is not before'],
    ['a day that does not exist', { from: '2026-02-31' }, 'is not a date'],
    ['a time without zone', { from: '2026-11-02T10:00:00' }, 'is not a date'],
    ['SQL for a date', { from: "2026-11-02' OR 1=1" }, 'is not a date'],
    ['SQL for a segment', { segment: "web' OR 'a'='a" }, 'is not the id of a segment'],
    ['a segment where none is taken', { name: 'identity_map', segment: 'web' }, 'omit segment'],
    ['an unknown parameter', { parameters: { half_life_days: 1 } }, 'Its parameters: limit'],
    ['SQL for a number', { parameters: { limit: '1; DROP TABLE events_all' } }, 'whole number above 0'],
    ['a broken number', { parameters: { limit: 1.5 } }, 'whole number above 0'],
    ['zero', { parameters: { limit: 0 } }, 'whole number above 0'],
  ])('%s is refused', (_, request, message) => {
    expect(refused(request).message).toContain(message);
  });

  test('the days to read are known where orders do not ask for all', () => {
    expect(bindReport({ name: 'clicked_together', ...PERIOD }).dates).toEqual({ from: '2026-10-25', to: '2026-11-12' });
    expect(bindReport({ name: 'search_rising', ...PERIOD }).dates).toEqual({ from: '2026-10-23', to: '2026-11-12' });
    expect(bindReport({ name: 'revenue', ...PERIOD }).dates).toBeUndefined();
    expect(bindReport({ name: 'identity_map', ...PERIOD }).dates).toBeUndefined();
  });
});

describe('views', () => {
  const views = insightViews(createRegistry());

  test('each reads only those before it', () => {
    for (const [index, view] of views.entries()) {
      const later = new Set(views.slice(index).map(({ name }) => name));
      expect(viewsReadBy(view.sql, views).filter(({ name }) => later.has(name))).toEqual([]);
    }
  });

  test('those a query needs are known', () => {
    const names = viewsReadBy('SELECT * FROM orders JOIN quarantine ON true', views).map(({ name }) => name);
    expect(names).toEqual(['events_with_bots', 'quarantine', 'all_orders', 'orders']);
  });

  test('money and counts have exact types', async () => {
    const types = async (view: string, columns: string): Promise<unknown[]> =>
      (await query(connection, `DESCRIBE SELECT ${columns} FROM ${view}`)).map((row) => row.column_type);
    expect(await types('orders', 'total, tax, goods_total, line_discount')).toEqual([
      'DECIMAL(18,4)',
      'DECIMAL(18,4)',
      'DECIMAL(38,4)',
      'DECIMAL(38,4)',
    ]);
    expect(await types('order_lines', 'unit_price, line_total')).toEqual(['DECIMAL(18,4)', 'DECIMAL(38,4)']);
  });
});

describe('bots', () => {
  const isBot = async (userAgent: string | null): Promise<unknown> => {
    const reader = await connection.runAndReadAll('SELECT is_bot_agent($agent::VARCHAR)', { agent: userAgent });
    return reader.getRows()[0]![0];
  };

  test.each([
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
    'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
    'Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/130.0.0.0 Safari/537.36',
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
  ])('%s', async (userAgent) => {
    expect(await isBot(userAgent)).toBe(true);
  });

  test.each([
    null,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/100.0.0.0 Mobile Safari/537.36',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 330.0.3.29.109',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/316.0 Mobile/15E148 Safari/604.1',
    'shop-app/3.1 (iPhone; iOS 17.5) CFNetwork/1496 Darwin/23.5.0',
    // A shop's backend and app are no bots.
    'okhttp/4.12.0',
    'axios/1.7.2',
    'node',
  ])('not %s', async (userAgent) => {
    expect(await isBot(userAgent)).toBe(false);
  });

  test('the flag fits real User-Agents of people, of clients and integrations of shops, and of bots', async () => {
    const text = readFileSync(new URL('./userAgents.tsv', import.meta.url), 'utf8').trim();
    const agents = text.split('\n').map((line) => line.split('\t') as [string, string]);
    const counts = Map.groupBy(agents, ([kind]) => kind);
    expect([...counts].map(([kind, own]) => [kind, own.length >= 80])).toEqual([
      ['person', true],
      ['client', true],
      ['bot', true],
    ]);
    const rows = agents.map(([kind, agent]) => `(${literal(kind)}, ${literal(agent)})`).join(', ');
    const sql = `SELECT kind, agent FROM (VALUES ${rows}) AS agents(kind, agent) WHERE is_bot_agent(agent) <> (kind = 'bot')`;
    expect(await query(connection, sql)).toEqual([]);
  });

  test('a pattern is a word; a name that could be a phone counts only where its examples have it', async () => {
    const list = [
      { pattern: 'badbot', instances: ['badbot/1.0', 'Mozilla/5.0 (compatible; badbot/1.0)'] },
      { pattern: 'Yonder', instances: ['Yonder/2'] },
      { pattern: 'Quince', instances: ['Mozilla/5.0 (compatible; Quince/1.0; +https://quince.example)'] },
    ];
    const { sql } = insightMacros().find(({ name }) => name === 'is_bot_agent')!;
    await connection.run(botMacro(list, '1.0.0').replace('CREATE MACRO', 'CREATE OR REPLACE MACRO'));
    const phone = (model: string): string => `Mozilla/5.0 (Linux; Android 14; ${model}) AppleWebKit/537.36`;
    const agents = ['badbot/2', 'Yonder/3', 'Mozilla/5.0 (compatible; Quince/2.0)'];
    const phones = ['SUPERbadbots', 'Yonder 5', 'Quince X'].map(phone);
    const found = [];
    for (const agent of [...agents, ...phones]) found.push(await isBot(agent));
    expect(found).toEqual([true, true, true, false, false, false]);
    await connection.run(sql.replace('CREATE MACRO', 'CREATE OR REPLACE MACRO'));
  });

  test('the macro is made from a list: libraries left out, quotes kept, what DuckDB cannot match refused', async () => {
    const list = [
      { pattern: "It's-a\\/bot", tags: ['seo'] },
      { pattern: 'curl', tags: ['http-library'] },
    ];
    const { sql } = insightMacros().find(({ name }) => name === 'is_bot_agent')!;
    await connection.run(botMacro(list, '1.0.0').replace('CREATE MACRO', 'CREATE OR REPLACE MACRO'));
    expect([await isBot("It's-a/bot"), await isBot('curl/8')]).toEqual([true, false]);
    await connection.run(sql.replace('CREATE MACRO', 'CREATE OR REPLACE MACRO'));
    expect(() => botMacro([{ pattern: '(?<!cu)bot' }], '1.0.0')).toThrow('RE2 lacks');
  });
});
