import { dataTable } from '../dataTable.ts';
import { count, numberOf, percent } from '../format.ts';
import type { Page } from '../page.ts';
import { empty } from '../panel.ts';
import { utcDay } from '../viewState.ts';
import { inSegment } from '../segmentSql.ts';

const DAY_MS = 86_400_000;
const DAYS = 7;

/** A share of events that have what reports need. */
interface Check {
  title: string;
  /** Columns of the answer: the events that have it, and all. */
  having: string;
  of: string;
  /** Share below which reports lose much. */
  least: number;
  advice: string;
}

const OWN_IDS = 'Two events had one id, and the second was dropped.';

/** Part of the answer of `/api/duplicates`. */
interface Duplicates {
  accepted: number;
  differing: number;
  receipts: string[];
}

const CHECKS: readonly Check[] = [
  {
    title: 'Searches that list their results',
    having: 'listed',
    of: 'searches',
    least: 0.9,
    advice: 'Send resultIds with Search: positions and click rates by product need them.',
  },
  {
    title: 'Clicks that name their search, list or recommendation',
    having: 'sourced',
    of: 'clicks',
    least: 0.8,
    advice: 'Send searchId, listId or recommendationId with ProductClicked. Without it the source is guessed.',
  },
  {
    title: 'Clicks with a position',
    having: 'placed',
    of: 'clicks',
    least: 0.8,
    advice: 'Send position with ProductClicked.',
  },
  {
    title: 'Orders of a known visitor',
    having: 'known',
    of: 'orders',
    least: 0.8,
    advice: 'Send anonymousId or userId with OrderCreated: without one nothing leads to the order.',
  },
  {
    title: 'Events that were accepted',
    having: 'stored',
    of: 'sent',
    least: 0.99,
    advice: 'Open “Quarantine” for the reasons.',
  },
  {
    title: 'Events without the id of another one',
    having: 'own',
    of: 'received',
    least: 1,
    advice: OWN_IDS,
  },
];

/** What the events of the last days lack, and what reports lose by it. */
export async function dataQuality({ api, state, signal }: Page): Promise<HTMLElement> {
  const now = Date.now();
  const since = `>= make_timestamptz(${(now - DAYS * DAY_MS) * 1000})`;
  const where = `WHERE received_at ${since} ${inSegment(state.segment)}`;
  const duplicates = await api.ask<Duplicates>('/api/duplicates', {}, signal);
  const { rows } = await api.sql(
    {
      sql: `SELECT * FROM (
          SELECT count(*) AS stored,
            count(*) FILTER (type = 'Search') AS searches,
            count(*) FILTER (type = 'Search' AND result_ids IS NOT NULL) AS listed,
            count(*) FILTER (type = 'ProductClicked') AS clicks,
            count(*) FILTER (type = 'ProductClicked' AND coalesce(search_id, list_id, recommendation_id) IS NOT NULL) AS sourced,
            count(*) FILTER (type = 'ProductClicked' AND position IS NOT NULL) AS placed,
            count(*) FILTER (type = 'OrderCreated') AS orders,
            count(*) FILTER (type = 'OrderCreated' AND coalesce(anonymous_id, user_id, session_id) IS NOT NULL) AS known
          FROM events ${where}
        ), (SELECT count(*) AS refused FROM quarantine ${where})`,
      from: utcDay(now - 2 * DAYS * DAY_MS),
      to: utcDay(now + DAY_MS),
    },
    signal,
  );
  const row = rows[0] ?? {};
  const { accepted: received, differing, receipts } = duplicates;
  const sent = (numberOf(row.stored) ?? 0) + (numberOf(row.refused) ?? 0);
  const counts: Record<string, unknown> = { ...row, sent, received, own: received - differing };
  const found = CHECKS.flatMap((check) => {
    const of = numberOf(counts[check.of]) ?? 0;
    return of === 0 ? [] : [{ ...check, events: of, share: (numberOf(counts[check.having]) ?? 0) / of }];
  });
  if (found.length === 0) return empty('No events came in.');
  return dataTable({
    caption: 'What the events have',
    rows: found,
    columns: [
      { title: 'Check', value: ({ title }) => title },
      { title: 'Share', value: ({ share }) => share, show: percent, numeric: true },
      { title: 'Of', value: ({ events }) => events, show: count, numeric: true },
      { title: 'Advice', value: ({ share, least, advice }) => (share < least ? named(advice, receipts) : 'Good') },
    ],
  });
}

/** Advice with the batch that it is about. */
function named(advice: string, [newest]: readonly string[]): string {
  return advice === OWN_IDS && newest !== undefined ? `${advice} Batch ${newest}` : advice;
}
