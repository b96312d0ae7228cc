import { chart } from '../chart.ts';
import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, decimal, money, numberOf, percent, plain } from '../format.ts';
import { shortened } from '../longText.ts';
import type { Page } from '../page.ts';
import { empty, figure, panel } from '../panel.ts';
import { productField, askReport, byDay, field, type ReportRow } from '../report.ts';
import { noSearches, searchFigures } from './searchFigures.ts';

const MOST = '100';

/** A phrase that leads to what became of its searches. */
export function phraseLink({ go }: Page, phrase: string): HTMLElement {
  const onclick = (): void => go({ phrase });
  return h('button', { type: 'button', class: 'link text', title: phrase, onclick }, shortened(phrase));
}

/** What was shown, clicked and bought for one phrase, and searched next. */
export function phraseView(page: Page, phrase: string): HTMLElement {
  const { signal, go } = page;
  const back = h('button', { type: 'button', onclick: () => go({ phrase: undefined }) }, 'Back to all phrases');
  return h(
    'div',
    { class: 'panel-body' },
    h('div', { class: 'actions' }, back, h('p', { class: 'phrase' }, phrase)),
    panel({
      title: 'In this period',
      note: 'Compared with the period of the same length before.',
      load: () => figures(page, phrase),
      signal,
    }),
    h(
      'div',
      { class: 'columns' },
      panel({ title: 'Searches by day', load: () => daily(page, phrase), signal }),
      panel({
        title: 'Shown and clicked',
        note: 'Clicks compare with what is usual at the same positions: 2 means twice as many.',
        load: () => shown(page, phrase),
        signal,
      }),
      panel({ title: 'Bought', load: () => bought(page, phrase), signal }),
      panel({ title: 'Searched next', load: () => next(page, phrase), signal }),
    ),
  );
}

async function figures(page: Page, phrase: string): Promise<HTMLElement> {
  const [found, sales] = await Promise.all([
    searchFigures(page, { phrase }),
    askReport(page, 'search_revenue', { phrase }),
  ]);
  if (found === undefined) return noSearches();
  const revenue = sales.map((row) =>
    figure(`Revenue, ${plain(row.currency)}`, money(row.revenue, plain(row.currency)), soldBy(row)),
  );
  return h('dl', { class: 'figures' }, ...found, ...revenue);
}

function soldBy(row: ReportRow): string {
  return `${money(row.revenue_per_search, plain(row.currency))} a search`;
}

async function daily(page: Page, phrase: string): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_daily', { phrase });
  if (rows.every(({ searches }) => numberOf(searches) === 0)) return noSearches();
  const { x, xName, xTitle, values } = byDay(rows);
  const series = [
    { label: 'Searches', values: values('', 'searches') },
    { label: 'With a click', values: values('', 'clicked_searches') },
  ];
  return chart({ title: 'Searches by day', x, xName, xTitle, kind: 'lines', series });
}

async function shown(page: Page, phrase: string): Promise<HTMLElement> {
  const rows = await askReport(page, 'phrase_products', { phrase, limit: MOST });
  if (rows.length === 0)
    return empty('Nothing is known of the results.', h('p', {}, 'Send Search with resultIds to see them here.'));
  return dataTable({
    caption: 'Products shown and clicked',
    most: 12,
    rows,
    columns: [
      productField(),
      field('Shown', 'shown', count, { bar: true }),
      field('Position', 'average_position', (value) => decimal(value, 1)),
      field('Clicks', 'clicks', count),
      field('Of the usual', 'coec_smoothed', (value) => decimal(value, 1)),
    ],
  });
}

async function bought(page: Page, phrase: string): Promise<HTMLElement> {
  const rows = await askReport(page, 'phrase_sales', { phrase, limit: MOST });
  if (rows.length === 0) return empty('No search for it led to an order.');
  return dataTable({
    caption: 'Products bought after a search for the phrase',
    most: 12,
    rows,
    columns: [
      productField(),
      field('Revenue', 'revenue', (value, row) => money(value, plain(row.currency))),
      field('Orders', 'orders', count, { bar: true }),
      field('Items', 'quantity', count),
    ],
  });
}

async function next(page: Page, phrase: string): Promise<HTMLElement> {
  const rows = await askReport(page, 'search_refinements', { phrase, min_refinements: '1', limit: MOST });
  if (rows.length === 0) return empty('Nobody searched for something else within 5 minutes.');
  return dataTable({
    caption: 'Phrases searched next',
    most: 12,
    rows,
    columns: [
      field('Phrase', 'next_phrase', undefined, { show: (value) => phraseLink(page, plain(value)) }),
      field('Searches', 'refinements', count, { bar: true }),
      field('Of all', 'share', percent),
      field('After nothing found', 'after_zero_results', count),
    ],
  });
}
