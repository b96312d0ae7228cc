import type { LagAnswer } from '../../query/http/contract/lagAnswer.ts';
import { chart } from '../chart.ts';
import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, duration, numberOf, when } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, figure, panel } from '../panel.ts';
import { utcDay } from '../viewState.ts';
import { inSegment } from '../segmentSql.ts';
import { dataQuality } from './dataQuality.ts';

const MINUTE_MS = 60_000;
const MINUTES = 60;
const DAY_MS = 86_400_000;
const EVERY_MS = 10_000;

/** The current state: volume, freshness, rejections. */
export function overviewView(page: Page): HTMLElement {
  const { signal } = page;
  return h(
    'div',
    { class: 'panel-body' },
    panel({ title: 'Now', load: () => freshness(page), signal, everyMs: EVERY_MS }),
    panel({
      title: 'Events per minute, last hour',
      note: 'Stored events by type and minute of receipt, bots included.',
      load: () => perMinute(page),
      signal,
      everyMs: EVERY_MS,
    }),
    panel({
      title: 'What reports can tell, last 7 days',
      note: 'Reports are as good as what the events have.',
      load: () => dataQuality(page),
      signal,
    }),
    h(
      'div',
      { class: 'columns' },
      panel({ title: 'Rejected in the last 24 hours', load: () => rejections(page), signal, everyMs: 6 * EVERY_MS }),
      panel({
        title: 'By segment and type, last 24 hours',
        load: () => bySegment(page),
        signal,
        everyMs: 6 * EVERY_MS,
      }),
    ),
  );
}

async function freshness({ api, signal }: Page): Promise<HTMLElement> {
  const lag = await api.get<LagAnswer>('/api/lag', {}, signal);
  const behind = lag.behindMs === 0 ? 'none' : duration(lag.behindMs);
  return h(
    'dl',
    { class: 'figures' },
    figure(
      'All events in the lake up to',
      when(lag.at - lag.behindMs, 'time'),
      lag.behindMs === 0 ? 'nothing is pending' : `${behind} ago`,
    ),
    figure('Backlog in the stream', count(lag.lagMessages), lag.lagMessages === 1 ? 'message' : 'messages'),
    figure('Oldest message', behind),
    figure(
      'Newest in the lake',
      lag.lastCommit === undefined ? '–' : when(lag.lastCommit, 'time'),
      `shard ${lag.shard}`,
    ),
  );
}

async function perMinute({ api, state, signal }: Page): Promise<HTMLElement> {
  const now = Date.now();
  const first = Math.floor(now / MINUTE_MS) * MINUTE_MS - (MINUTES - 1) * MINUTE_MS;
  const { rows } = await api.sql(
    {
      sql: `SELECT epoch_ms(date_trunc('minute', received_at)) AS minute, type, count(*) AS events
        FROM events_with_bots
        WHERE received_at >= make_timestamptz(${first * 1000}) ${inSegment(state.segment)}
        GROUP BY ALL ORDER BY type, minute`,
      ...around(now, MINUTES * MINUTE_MS),
    },
    signal,
  );
  if (rows.length === 0) return nothingYet();
  const x = Array.from({ length: MINUTES }, (_, index) => (first + index * MINUTE_MS) / 1000);
  const types = [...new Set(rows.map(({ type }) => String(type)))];
  const counts = new Map(
    rows.map(({ minute, type, events }) => [`${String(minute)}/${String(type)}`, numberOf(events)]),
  );
  return chart({
    title: 'Events per minute by type',
    xTitle: 'Minute',
    x,
    xName: (seconds) => when(seconds * 1000, 'minute'),
    kind: 'lines',
    series: types.map((type) => ({
      label: type,
      values: x.map((seconds) => counts.get(`${seconds * 1000}/${type}`) ?? 0),
    })),
  });
}

async function rejections({ api, state, signal, go }: Page): Promise<HTMLElement> {
  const now = Date.now();
  const { rows } = await api.sql(
    {
      sql: `SELECT code, count(*) AS events, count(DISTINCT key_id) AS keys, max(received_at) AS last
        FROM quarantine WHERE received_at >= make_timestamptz(${(now - DAY_MS) * 1000}) ${inSegment(state.segment)}
        GROUP BY code ORDER BY events DESC`,
      ...around(now, DAY_MS),
    },
    signal,
  );
  if (rows.length === 0)
    return empty('No event was rejected.', h('p', {}, 'Rejected events appear here with the reason.'));
  const open = (code: string): HTMLElement =>
    h('button', { type: 'button', class: 'link', onclick: () => go({ view: 'quarantine', code, days: 7 }) }, code);
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

async function bySegment({ api, state, signal }: Page): Promise<HTMLElement> {
  const now = Date.now();
  const { rows } = await api.sql(
    {
      sql: `SELECT segment, type, count(*) AS events, count(*) FILTER (is_bot) AS bots, max(received_at) AS last
        FROM events_with_bots WHERE received_at >= make_timestamptz(${(now - DAY_MS) * 1000}) ${inSegment(state.segment)}
        GROUP BY ALL ORDER BY segment, type`,
      ...around(now, DAY_MS),
    },
    signal,
  );
  if (rows.length === 0) return nothingYet();
  return dataTable({
    caption: 'Events by segment and type',
    rows,
    columns: [
      { title: 'Segment', value: (row) => row.segment },
      { title: 'Type', value: (row) => row.type },
      { title: 'Events', value: (row) => row.events, show: count, numeric: true, bar: true },
      { title: 'Bots', value: (row) => row.bots, show: count, numeric: true },
      { title: 'Last', value: (row) => row.last, show: (last) => when(last), whole: true },
    ],
  });
}

function nothingYet(): HTMLElement {
  return empty(
    'No events came in.',
    h('p', {}, 'Open “Live events” and send one. You see at once if it is accepted, or why it is rejected.'),
  );
}

/**
 * Dates of files that may hold events received in a span.
 *
 * Events may be a few days old, and a sender's clock may be ahead.
 */
function around(nowMs: number, spanMs: number): { from: string; to: string } {
  return { from: utcDay(nowMs - spanMs - 7 * DAY_MS), to: utcDay(nowMs + DAY_MS) };
}
