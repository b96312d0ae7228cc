import { h, type DomChild } from './dom.ts';
import { numberOf, plain } from './format.ts';

/** A column of a table. */
export interface DataColumn<Row> {
  title: string;
  value: (row: Row) => unknown;
  /** Content of a cell; absent: the plain value. */
  show?: ((value: unknown, row: Row) => DomChild) | undefined;
  /** Whether to align numbers to the right. */
  numeric?: boolean | undefined;
  /** Whether to keep the value on one line, such as a time. */
  whole?: boolean | undefined;
  /** Whether to draw a bar for the share of the largest number. */
  bar?: boolean | undefined;
}

export interface DataTableOptions<Row> {
  caption: string;
  /** Whether only assistive software reads the caption. */
  captionHidden?: boolean;
  columns: readonly DataColumn<Row>[];
  rows: readonly Row[];
  /** Rows shown at first. */
  most?: number;
}

const MOST_ROWS = 50;

/** A table that scrolls sideways where needed, also by keyboard. */
export function dataTable<Row>(options: DataTableOptions<Row>): HTMLElement {
  const { caption, captionHidden = true, columns, rows, most = MOST_ROWS } = options;
  const longest = columns.map((column) =>
    column.bar ? Math.max(0, ...rows.map((row) => numberOf(column.value(row)) ?? 0)) : 0,
  );
  const line = (row: Row): HTMLElement =>
    h('tr', {}, ...columns.map((column, index) => cell(column, row, longest[index]!, index === 0)));
  const body = h('tbody', {}, ...rows.slice(0, most).map(line));
  const table = h(
    'table',
    {},
    h('caption', { class: captionHidden ? 'hidden' : undefined }, caption),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...columns.map(({ title, numeric }) => h('th', { scope: 'col', class: numeric ? 'number' : '' }, title)),
      ),
    ),
    body,
  );
  const scroller = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': `Table: ${caption}` }, table);
  if (rows.length <= most) return scroller;
  const more = h(
    'button',
    {
      type: 'button',
      onclick: () => {
        body.append(...rows.slice(most).map(line));
        more.remove();
        scroller.focus();
      },
    },
    `Show all ${rows.length} rows`,
  );
  return h('div', { class: 'panel-body' }, scroller, h('div', {}, more));
}

function cell<Row>(
  { value, show, numeric, whole, bar }: DataColumn<Row>,
  row: Row,
  longest: number,
  first: boolean,
): HTMLElement {
  const raw = value(row);
  const content = show ? show(raw, row) : plain(raw);
  if (first && !numeric) return h('th', { scope: 'row' }, content);
  const element = h('td', { class: numeric ? 'number' : whole ? 'whole' : '' }, content);
  if (bar && longest > 0) {
    element.classList.add('bar');
    element.style.setProperty('--share', `${((numberOf(raw) ?? 0) / longest) * 100}%`);
  }
  return element;
}
