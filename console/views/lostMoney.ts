import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, money, numberOf, plain } from '../format.ts';
import type { Page } from '../page.ts';
import { empty } from '../panel.ts';
import { askReport, field } from '../report.ts';
import { phraseLink } from './phrase.ts';
import { noSearches } from './searchFigures.ts';

const REASONS: Readonly<Record<string, string>> = { nothing_found: 'nothing found', not_clicked: 'nobody clicks' };

/** What phrases without results or clicks would have earned. */
export async function lostMoney(page: Page): Promise<HTMLElement> {
  const [rows, [all]] = await Promise.all([
    askReport(page, 'lost_money', { limit: '100' }),
    askReport(page, 'search_overview'),
  ]);
  if (!all || numberOf(all.searches) === 0) return noSearches();
  if (rows.length === 0)
    return empty(
      'No such phrase in this period.',
      h('p', {}, 'Phrases with three lost searches or more appear here, once other searches lead to orders.'),
    );
  return dataTable({
    caption: 'Money lost by phrases',
    most: 12,
    rows,
    columns: [
      field('Phrase', 'phrase', undefined, { show: (value) => phraseLink(page, plain(value)) }),
      field('Why', 'reason', undefined, { show: (reason) => REASONS[plain(reason)] ?? plain(reason) }),
      field('Searches', 'searches', count),
      field('Lost', 'lost', (value, row) => money(value, plain(row.currency)), { bar: true }),
    ],
  });
}
