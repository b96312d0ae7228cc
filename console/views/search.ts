import { chart } from '../chart.ts';
import { dataTable, type DataColumn } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, decimal, money, numberOf, percent, plain } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, panel } from '../panel.ts';
import { byDay, field, askReport, type ReportRow } from '../report.ts';
import { lostMoney } from './lostMoney.ts';
import { phraseLink, phraseView } from './phrase.ts';
import { noSearches, searchFigures } from './searchFigures.ts';

const MOST = '100';
const POSITIONS = 30;

/** Whether visitors find products by search. */
export function searchView(page: Page): HTMLElement {
  const { signal, state } = page;
  if (state.phrase !== undefined) return phraseView(page, state.phrase);
  return h(
    'div',
    { class: 'panel-body' },
    panel({
      title: 'In this period',
      note: 'Compared with the period of the same length before.',
      load: () => overview(page),
      signal,
    }),
    h(
      'div',
      { class: 'columns' },
      panel({ title: 'Searches by day', load: () => daily(page, 'searches'), signal }),
      panel({ title: 'Rates by day', load: () => daily(page, 'rates'), signal }),
    ),
    panel({
      title: 'Phrases',
      note: 'The most searched. Click rate is the share of searches with a click. First click is its mean position in the results.',
      load: () => phrases(page),
      signal,
    }),
    h(
      'div',
      { class: 'columns' },
      panel({
        title: 'Nothing found',
        note: 'Phrases without results: missing products, missing synonyms, typing errors.',
        load: () => zeroResults(page),
        signal,
      }),
      panel({ title: 'Found, but not clicked', load: () => noClicks(page), signal }),
      panel({
        title: 'Lost money',
        note: 'What phrases without results or clicks would have earned, had their searches earned as much as others of as many words.',
        load: () => lostMoney(page),
        signal,
      }),
      panel({ title: 'Clicks by position', load: () => positions(page), signal }),
      panel({
        title: 'Rising',
        note: 'Searched more than in the period before, the most certain first. Of a period that is not over, the part that has passed is compared.',
        load: () => rising(page),
        signal,
      }),
      panel({ title: 'Filters', load: () => filters(page), signal }),
    ),
  );
}

async function overview(page: Page): Promise<HTMLElement> {
  const figures = await searchFigures(page);
  return figures === undefined ? noSearches() : h('dl', { class: 'figures' }, ...figures);
}

async function daily(page: Page, what: 'searches' | 'rates'): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_daily');
  if (rows.every(({ searches }) => numberOf(searches) === 0)) return noSearches();
  const { x, xName, xTitle, values } = byDay(rows);
  if (what === 'searches') {
    const series = [
      { label: 'Searches', values: values('', 'searches') },
      { label: 'Nothing found', values: values('', 'zero_results') },
    ];
    return chart({ title: 'Searches by day', x, xName, xTitle, kind: 'lines', series });
  }
  const series = [
    { label: 'Click rate', values: values('', 'ctr') },
    { label: 'Nothing found', values: values('', 'zero_result_rate') },
    { label: 'Led to an order', values: values('', 'purchase_rate') },
  ];
  return chart({ title: 'Search rates by day', x, xName, xTitle, kind: 'lines', format: percent, series });
}

async function phrases(page: Page): Promise<HTMLElement> {
  const [rows, sales] = await Promise.all([
    askReport(page, 'search_phrases', { limit: MOST }),
    askReport(page, 'search_revenue'),
  ]);
  if (rows.length === 0) return noSearches();
  const revenue = revenueByPhrase(sales);
  return dataTable({
    caption: 'Phrases',
    most: 15,
    rows,
    columns: [
      phraseField(page),
      field('Searches', 'searches', count, { bar: true }),
      field('Results', 'average_results', (value) => decimal(value, 1)),
      field('Nothing found', 'zero_result_rate', percent),
      field('Click rate', 'ctr', percent),
      field('First click', 'average_click_position', (value) => decimal(value, 1)),
      field('Abandoned', 'abandonment_rate', percent),
      field('To cart', 'cart_rate', percent),
      field('To order', 'purchase_rate', percent),
      {
        title: 'Revenue',
        value: (row) => revenue.get(plain(row.phrase))?.[0]?.amount,
        show: (_, row) => soldText(revenue.get(plain(row.phrase))),
        numeric: true,
      },
    ],
  });
}

function phraseField(page: Page): DataColumn<ReportRow> {
  return field('Phrase', 'phrase', undefined, { show: (value) => phraseLink(page, plain(value)) });
}

/** What each phrase sold, the largest amount first; amounts of different currencies are not added. */
function revenueByPhrase(rows: readonly ReportRow[]): Map<string, { amount: unknown; text: string }[]> {
  const byPhrase = new Map<string, { amount: unknown; text: string }[]>();
  for (const { phrase, currency, revenue } of rows) {
    const sold = byPhrase.get(plain(phrase)) ?? [];
    byPhrase.set(plain(phrase), [...sold, { amount: revenue, text: money(revenue, plain(currency)) }]);
  }
  return byPhrase;
}

function soldText([first, ...others]: { text: string }[] = []): string {
  return first === undefined ? '–' : others.length === 0 ? first.text : `${first.text} + ${others.length} more`;
}

/** Says that there was no search, where the lack of rows would say something else. */
async function orNoSearches(page: Page, otherwise: () => HTMLElement): Promise<HTMLElement> {
  const [row] = await askReport(page, 'search_overview');
  return !row || numberOf(row.searches) === 0 ? noSearches() : otherwise();
}

async function zeroResults(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_zero_results', { limit: MOST });
  if (rows.length === 0) return orNoSearches(page, () => empty('Every search found something.'));
  return dataTable({
    caption: 'Phrases without results',
    most: 12,
    rows,
    columns: [
      phraseField(page),
      field('Nothing found', 'zero_results', count, { bar: true }),
      field('Of its searches', 'zero_result_rate', percent),
      field('Tried again', 'refined', percent),
    ],
  });
}

async function noClicks(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_no_clicks', { limit: MOST });
  if (rows.length === 0)
    return orNoSearches(page, () =>
      empty(
        'No such phrase in this period.',
        h('p', {}, 'Phrases with three searches or more, with results and without clicks, appear here.'),
      ),
    );
  return dataTable({
    caption: 'Phrases without clicks',
    most: 12,
    rows,
    columns: [
      phraseField(page),
      field('Searches', 'searches', count, { bar: true }),
      field('Results', 'average_results', (value) => decimal(value, 1)),
      field('Tried again', 'refined', percent),
    ],
  });
}

async function positions(page: Page): Promise<HTMLElement> {
  const rows = (await askReport(page, 'search_positions')).filter((row): row is ReportRow => {
    const position = numberOf(row.position);
    return position !== undefined && position <= POSITIONS;
  });
  if (rows.every(({ clicks }) => (numberOf(clicks) ?? 0) === 0))
    return orNoSearches(page, () =>
      empty('No click has a position.', h('p', {}, 'Send ProductClicked with searchId and position.')),
    );
  const positionOf = (row: ReportRow): number => numberOf(row.position)!;
  return chart({
    title: 'Clicks by position',
    xTitle: 'Position',
    x: rows.map(positionOf),
    xName: String,
    kind: 'bars',
    series: [{ label: 'Clicks', values: rows.map(({ clicks }) => numberOf(clicks)) }],
  });
}

async function rising(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_rising', { limit: MOST });
  if (rows.length === 0) return orNoSearches(page, () => empty('No phrase is searched more than before.'));
  const growth = (value: unknown): string => (value === null ? 'new' : `+${percent(value)}`);
  return dataTable({
    caption: 'Rising phrases',
    most: 12,
    rows,
    columns: [
      phraseField(page),
      field('Searches', 'searches', count, { bar: true }),
      field('Before', 'searches_before', count),
      field('Growth', 'growth', growth),
    ],
  });
}

async function filters(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_filters', { limit: MOST });
  if (rows.length === 0)
    return orNoSearches(page, () =>
      empty('No search had a filter.', h('p', {}, 'Send Search with filters to see them here.')),
    );
  return dataTable({
    caption: 'Filters',
    most: 12,
    rows,
    columns: [
      field('Filter', 'field', undefined, { show: (name, row) => `${plain(name)}: ${plain(row.value)}` }),
      field('Searches', 'searches', count, { bar: true }),
      field('Nothing found', 'zero_result_rate', percent),
      field('Filtered to nothing', 'filtered_to_zero', count),
      field('Click rate', 'ctr', percent),
    ],
  });
}
