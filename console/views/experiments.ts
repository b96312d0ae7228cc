import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, numberOf, percent, plain, when } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, panel } from '../panel.ts';
import { askReport, field, type ReportRow } from '../report.ts';
import { choice } from '../toolbar.ts';
import { EFFECT, MEASURES, measureText, rangeText, sizeText, splitText, verdict } from './experimentWords.ts';

/** What each variant of an experiment changes, and how sure that is. */
export function experimentsView(page: Page): HTMLElement {
  const { signal } = page;
  return h(
    'div',
    { class: 'panel-body' },
    panel({
      title: 'Variants',
      note: 'A visitor counts from the first event that names a variant. Orders and searches before it do not count.',
      load: () => variants(page),
      signal,
    }),
    ...Object.keys(MEASURES).map((metric) =>
      panel({ title: MEASURES[metric]!, note: NOTES[metric], load: () => measure(page, metric), signal }),
    ),
  );
}

const CAPPED = 'Amounts above the 99th percentile are capped, so that a few large orders do not decide.';
const NOTES: Readonly<Record<string, string>> = {
  revenue_per_visitor: CAPPED,
  average_order: CAPPED,
};

/** The rows of the experiment that is chosen: the one of the address, else that with the most visitors. */
async function chosen(page: Page): Promise<{ experiment: string; rows: ReportRow[]; all: string[] } | undefined> {
  const rows = await askReport(page, 'experiments');
  const visitors = new Map<string, number>();
  for (const { experiment, visitors: own } of rows)
    visitors.set(plain(experiment), (visitors.get(plain(experiment)) ?? 0) + (numberOf(own) ?? 0));
  const all = [...visitors.keys()].sort((a, b) => visitors.get(b)! - visitors.get(a)!);
  const { experiment = all[0] } = page.state;
  if (experiment === undefined || all.length === 0) return undefined;
  return { experiment, all, rows: rows.filter((row) => row.experiment === experiment) };
}

async function variants(page: Page): Promise<HTMLElement> {
  const found = await chosen(page);
  if (found === undefined) return noExperiments();
  const { experiment, rows, all } = found;
  const options = [...new Set([experiment, ...all])].map((id): [string, string] => [id, id]);
  const choose = choice('Experiment', options, experiment, (id) => page.go({ experiment: id }));
  if (rows.length === 0) return h('div', { class: 'panel-body' }, choose, empty('No event of this period names it.'));
  const split = splitText(rows);
  return h(
    'div',
    { class: 'panel-body' },
    h('div', { class: 'actions' }, choose),
    h('p', split.off ? { class: 'failure', role: 'alert' } : {}, split.text),
    dataTable({
      caption: 'Variants',
      rows,
      columns: [
        field('Variant', 'variant'),
        field('Visitors', 'visitors', count, { bar: true }),
        field('Share', 'share', percent),
        field('Saw another too', 'mixed_visitors', count),
        field('First seen', 'first_seen', (value) => when(value)),
        field('Last seen', 'last_seen', (value) => when(value)),
      ],
    }),
  );
}

async function measure(page: Page, metric: string): Promise<HTMLElement> {
  const found = await chosen(page);
  if (found === undefined) return noExperiments();
  const all = await askReport(page, 'experiment_metrics', { experiment: found.experiment, effect: String(EFFECT) });
  const rows = all.filter((row) => row.metric === metric);
  if (rows.every((row) => numberOf(row.value) === undefined)) return empty('Nothing of the kind in this period.');
  return h(
    'div',
    { class: 'panel-body' },
    ...rows.filter((row) => row.variant !== row.control).map((row) => h('p', {}, verdict(row))),
    dataTable({
      caption: MEASURES[metric]!,
      rows,
      columns: [
        field('Variant', 'variant'),
        field('Visitors', 'visitors', count),
        field('Value', 'value', measureText),
        field('Compared', 'compared_value', measureText),
        field('Change', 'change', percent),
        { title: 'Between', value: rangeText, numeric: true },
        field('Smallest seen', 'smallest_effect', sizeText),
        field(`Days to see ${percent(EFFECT)}`, 'days_left', count),
      ],
    }),
  );
}

function noExperiments(): HTMLElement {
  return empty(
    'No experiment in this period.',
    h('p', {}, 'Send experiments with id and variant on the events of the visitors that take part.'),
  );
}
