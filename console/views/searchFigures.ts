import { h } from '../dom.ts';
import { countChange, shareChange } from '../figureChange.ts';
import { count, countOf, decimal, numberOf, percent } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, figure } from '../panel.ts';
import { askReport, askReportBefore } from '../report.ts';

/** The large figures of searches, each with its change; undefined without a search. */
export async function searchFigures(
  page: Page,
  parameters: Record<string, string> = {},
): Promise<HTMLElement[] | undefined> {
  const [[row], [before]] = await Promise.all([
    askReport(page, 'search_overview', parameters),
    askReportBefore(page, 'search_overview', parameters),
  ]);
  if (!row || numberOf(row.searches) === 0) return undefined;
  const rate = (name: string): ReturnType<typeof shareChange> =>
    shareChange(row[name], row.searches, before?.[name], before?.searches);
  const change = countChange(row.searches, before?.searches);
  return [
    figure('Searches', count(row.searches), countOf(row.visitors, 'visitor'), change),
    figure(
      'Nothing found',
      percent(row.zero_result_rate),
      countOf(row.zero_results, 'search'),
      rate('zero_result_rate'),
    ),
    figure('Click rate', percent(row.ctr), `top three ${percent(row.ctr_at_3)}`, rate('ctr')),
    figure('First click', decimal(row.average_click_position, 1), `mean position; reciprocal rank ${decimal(row.mrr)}`),
    figure(
      'Abandoned',
      percent(row.abandonment_rate),
      `refined ${percent(row.refinement_rate)}`,
      rate('abandonment_rate'),
    ),
    figure('Led to a cart', percent(row.cart_rate), `to an order ${percent(row.purchase_rate)}`, rate('cart_rate')),
  ];
}

/** Said where there was no search. */
export function noSearches(): HTMLElement {
  return empty(
    'No searches in this period.',
    h('p', {}, 'Choose a longer period above, or send Search events: “Live events” shows how.'),
  );
}
