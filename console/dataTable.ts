import { csvOf } from './csv.ts';
import { fill, h, type DomChild } from './dom.ts';
import { numberOf, plain } from './format.ts';
import { longText } from './longText.ts';
import { foundRows, sortedRows, type Direction } from './rowOrder.ts';

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
/** Fewest rows for which a search field is worth its place. */
const WORTH_FINDING = 8;

/** A table to sort, search and save as CSV; it scrolls sideways where needed, also by keyboard. */
export function dataTable<Row>(options: DataTableOptions<Row>): HTMLElement {
  const { caption, captionHidden = true, columns, rows, most = MOST_ROWS } = options;
  const longest = columns.map((column) =>
    column.bar ? Math.max(0, ...rows.map((row) => numberOf(column.value(row)) ?? 0)) : 0,
  );
  const line = (row: Row): HTMLElement =>
    h('tr', {}, ...columns.map((column, index) => cell(column, row, longest[index]!, index === 0)));
  const body = h('tbody');
  const more = h('button', { type: 'button', onclick: () => showAll() });
  const found = h('span', { class: 'quiet', role: 'status' });
  let order: { column: DataColumn<Row>; direction: Direction } | undefined;
  let text = '';
  let all = rows.length <= most;

  const wanted = (): readonly Row[] => {
    const matching = foundRows(
      rows,
      columns.map(({ value }) => value),
      text,
    );
    return order ? sortedRows(matching, order.column.value, order.direction) : matching;
  };
  const show = (): void => {
    const shown = wanted();
    fill(body, ...(all ? shown : shown.slice(0, most)).map(line));
    more.hidden = all || shown.length <= most;
    fill(more, `Show all ${shown.length} rows`);
    fill(found, text.trim() === '' ? '' : `${shown.length} of ${rows.length} rows`);
  };
  const showAll = (): void => {
    all = true;
    show();
    scroller.focus();
  };
  const headers = columns.map((column) => {
    const onclick = (): void => {
      order = nextOrder(order, column);
      for (const [index, header] of headers.entries()) {
        const direction = columns[index] === order?.column ? order?.direction : undefined;
        if (direction === undefined) header.removeAttribute('aria-sort');
        else header.setAttribute('aria-sort', direction);
      }
      show();
    };
    const sort = rows.length > 1 ? h('button', { type: 'button', class: 'sort', onclick }, column.title) : column.title;
    return h('th', { scope: 'col', class: column.numeric ? 'number' : '' }, sort);
  });
  const table = h(
    'table',
    {},
    h('caption', { class: captionHidden ? 'hidden' : undefined }, caption),
    h('thead', {}, h('tr', {}, ...headers)),
    body,
  );
  const scroller = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': `Table: ${caption}` }, table);
  show();
  if (rows.length < 2) return scroller;
  const find = h('input', {
    type: 'search',
    placeholder: 'Find',
    'aria-label': `Find in ${caption}`,
    oninput: () => {
      text = find.value;
      show();
    },
  });
  const save = h(
    'button',
    {
      type: 'button',
      class: 'link',
      'aria-label': `Save ${caption} as CSV`,
      onclick: () => download(caption, csvOf(columns, wanted())),
    },
    'CSV',
  );
  return h(
    'div',
    { class: 'panel-body' },
    h('div', { class: 'table-tools' }, rows.length < WORTH_FINDING ? null : find, found, save),
    scroller,
    h('div', {}, more),
  );
}

/** Numbers begin with the largest, texts with the first; the third time the rows are as they came. */
function nextOrder<Row>(
  order: { column: DataColumn<Row>; direction: Direction } | undefined,
  column: DataColumn<Row>,
): { column: DataColumn<Row>; direction: Direction } | undefined {
  const [first, second]: Direction[] = column.numeric ? ['descending', 'ascending'] : ['ascending', 'descending'];
  if (order?.column !== column) return { column, direction: first! };
  return order.direction === first ? { column, direction: second! } : undefined;
}

function download(name: string, csv: string): void {
  // The byte order mark makes spreadsheets read UTF-8.
  const url = URL.createObjectURL(new Blob(['\uFEFF', csv], { type: 'text/csv;charset=utf-8' }));
  h('a', { href: url, download: `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function cell<Row>(
  { value, show, numeric, whole, bar }: DataColumn<Row>,
  row: Row,
  longest: number,
  first: boolean,
): HTMLElement {
  const raw = value(row);
  const content = show ? show(raw, row) : plain(raw);
  const shown = typeof content === 'string' && !numeric ? longText(content) : content;
  if (first && !numeric) return h('th', { scope: 'row' }, shown);
  const element = h('td', { class: numeric ? 'number' : whole ? 'whole' : '' }, shown);
  if (bar && longest > 0) {
    element.classList.add('bar');
    element.style.setProperty('--share', `${((numberOf(raw) ?? 0) / longest) * 100}%`);
  }
  return element;
}
