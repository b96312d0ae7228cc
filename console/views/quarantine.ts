import { chart } from '../chart.ts';
import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, dayName, numberOf, plain, when } from '../format.ts';
import type { Page } from '../page.ts';
import { copyable, empty, panel } from '../panel.ts';
import { askReport } from '../report.ts';
import { daysOfRange, nextDay, utcDay } from '../viewState.ts';
import { startOfDay } from '../zone.ts';
import { inSegment } from '../segmentSql.ts';

const MOST_SHOWN = 200;
const FIRST_SHOWN = 25;

/** Rejected events with reason and text, and how to redrive them. */
export function quarantineView(page: Page): HTMLElement {
  const { state, signal, go } = page;
  const { code } = state;
  const all = h('button', { type: 'button', onclick: () => go({ code: undefined }) }, 'Show all reasons');
  return h(
    'div',
    { class: 'panel-body' },
    h(
      'div',
      { class: 'columns' },
      panel({
        title: 'By reason',
        note: 'Rejected events are kept whole. The sender received the same reason.',
        load: () => byReason(page),
        signal,
      }),
      panel({ title: 'By day', load: () => byDay(page), signal }),
    ),
    panel({
      title: 'Redrive events',
      note: 'Fixed events pass the receiver’s checks again and keep their times. Repeating it changes nothing.',
      load: () => Promise.resolve(redrive(page)),
      signal,
    }),
    panel({
      title: code === undefined ? 'Newest' : `Newest with ${code}`,
      load: async () =>
        h('div', { class: 'panel-body' }, code === undefined ? null : h('div', {}, all), await newest(page)),
      signal,
    }),
  );
}

function where({ state, zone }: Page): { clause: string; from: string; to: string } {
  const { from, to } = daysOfRange(state, zone, Date.now());
  const [first, end] = [startOfDay(zone, from), startOfDay(zone, nextDay(to))];
  return {
    clause: `WHERE received_at >= make_timestamptz(${first * 1000}) AND received_at < make_timestamptz(${end * 1000}) ${inSegment(state.segment)}`,
    from: utcDay(first),
    to: utcDay(end - 1),
  };
}

async function byReason(page: Page): Promise<HTMLElement> {
  const { clause, from, to } = where(page);
  const { rows } = await page.api.sql(
    {
      sql: `SELECT code, count(*) AS events, count(DISTINCT key_id) AS keys, max(received_at) AS last
        FROM quarantine ${clause} GROUP BY code ORDER BY events DESC, code`,
      from,
      to,
    },
    page.signal,
  );
  if (rows.length === 0) return nothing();
  const open = (code: string): HTMLElement =>
    h(
      'button',
      {
        type: 'button',
        class: 'link',
        'aria-pressed': String(code === page.state.code),
        onclick: () => page.go({ code }),
      },
      code,
    );
  return dataTable({
    caption: 'Rejected events by reason',
    rows,
    columns: [
      { title: 'Reason', value: (row) => row.code, show: (code) => open(String(code)) },
      { title: 'Events', value: (row) => row.events, show: count, numeric: true, bar: true },
      { title: 'Keys', value: (row) => row.keys, show: count, numeric: true },
      { title: 'Last', value: (row) => row.last, show: (last) => when(last), whole: true },
    ],
  });
}

async function byDay(page: Page): Promise<HTMLElement> {
  const { code } = page.state;
  const rows = (await askReport(page, 'rejections')).filter((row) => code === undefined || row.code === code);
  if (rows.length === 0) return nothing();
  const events = new Map<string, number>();
  for (const { date, events: some } of rows)
    events.set(String(date), (events.get(String(date)) ?? 0) + (numberOf(some) ?? 0));
  const { from, to } = daysOfRange(page.state, page.zone, Date.now());
  const days: string[] = [];
  for (let day = from; day <= to; day = nextDay(day)) days.push(day);
  return chart({
    title: 'Rejected events by day',
    xTitle: 'Day',
    x: days.map((_, index) => index),
    xName: (index) => dayName(days[index] ?? ''),
    kind: 'bars',
    series: [{ label: 'Refused', values: days.map((day) => events.get(day) ?? 0) }],
  });
}

async function newest(page: Page): Promise<HTMLElement> {
  const { code } = page.state;
  const { clause, from, to } = where(page);
  const { rows } = await page.api.sql(
    {
      sql: `SELECT received_at, segment, key_id, type, event_id, code, path, message, receipt_id, raw
        FROM quarantine ${clause} ${code === undefined ? '' : `AND code = '${code}'`} ORDER BY received_at DESC LIMIT ${MOST_SHOWN}`,
      from,
      to,
    },
    page.signal,
  );
  if (rows.length === 0) return nothing();
  const list = h(
    'ol',
    { class: 'feed dated', 'aria-label': 'Refused events, newest first' },
    ...rows.slice(0, FIRST_SHOWN).map(line),
  );
  if (rows.length <= FIRST_SHOWN) return list;
  const more = h('button', { type: 'button' }, `Show ${rows.length - FIRST_SHOWN} more`);
  more.addEventListener('click', () => {
    const rest = rows.slice(FIRST_SHOWN).map(line);
    list.append(...rest);
    more.remove();
    rest[0]!.querySelector('summary')!.focus();
  });
  return h('div', { class: 'panel-body' }, list, h('div', {}, more));
}

function line(row: Record<string, unknown>): HTMLElement {
  const {
    received_at: at,
    segment,
    key_id: key,
    type,
    event_id: id,
    code,
    path,
    message,
    receipt_id: receipt,
    raw,
  } = row;
  const facts: [string, unknown][] = [
    ['Reason', code],
    ['Where', path],
    ['What', message],
    ['Received', when(at)],
    ['Segment', segment],
    ['Key', key],
    ['Event id', id],
    ['Receipt', receipt],
  ];
  return h(
    'li',
    {},
    h(
      'details',
      {},
      h(
        'summary',
        {},
        h('span', {}, when(at)),
        h('span', {}, plain(segment)),
        h('span', {}, plain(type)),
        h('span', {}, `${plain(code)}: ${plain(message)}`),
      ),
      h(
        'div',
        { class: 'detail' },
        h(
          'dl',
          { class: 'facts' },
          ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, plain(value))]),
        ),
        copyable(String(raw), 'event', String(id ?? receipt)),
      ),
    ),
  );
}

function redrive(page: Page): HTMLElement {
  const { tenantId, state } = page;
  const { from, to } = where(page);
  const parts = ['npx spor quarantine redrive', `--tenant ${tenantId}`];
  if (state.segment !== undefined) parts.push(`--segment ${state.segment}`);
  if (state.code !== undefined) parts.push(`--code ${state.code}`);
  parts.push(`--from ${from}`, `--to ${to}`, '--dry-run');
  return h(
    'div',
    { class: 'panel-body' },
    copyable(parts.join(' '), 'command'),
    h('p', { class: 'note' }, 'Shows what would happen. Omit --dry-run to do it. --help explains how to fix events.'),
  );
}

function nothing(): HTMLElement {
  return empty(
    'No event was rejected in this period.',
    h('p', {}, 'Choose a longer period above to see earlier ones.'),
  );
}
