import type { DuckDBValue } from '@duckdb/node-api';
import { DuckDBTimestampTZValue } from '@duckdb/node-api';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { NeededViews } from './views.ts';

/** Views that leave out bots; all others read them. */
const WITHOUT_BOTS = ['events', 'all_orders'];

/** Whether a statement reads views that leave out bots. A report has its views as CTEs. */
export function leavesOutBots(sql: string, { views }: NeededViews, { report }: { report?: unknown }): boolean {
  if (report === undefined) return WITHOUT_BOTS.some((name) => views.has(name));
  return new RegExp(`^(?:${WITHOUT_BOTS.join('|')}) AS `, 'm').test(sql);
}

/**
 * Rows with a flag for bots.
 *
 * The flag is a column, not a condition: DuckDB then tests each User-Agent of a Parquet dictionary once.
 */
const FLAGGED = `(SELECT event_time, segment, is_bot_agent(user_agent) AND key_kind IS DISTINCT FROM 'server' AS is_bot FROM events_all)`;

/**
 * Statement that counts the rows of bots: of a report's period and segment, or of all rows.
 * @param rows relation with the columns event_time, segment and is_bot
 */
export function countBots({ from, to, segment }: Readonly<Record<string, DuckDBValue>> = {}, rows = FLAGGED): string {
  const conditions = [
    ...(from instanceof DuckDBTimestampTZValue ? [`event_time >= make_timestamptz(${from.micros})`] : []),
    ...(to instanceof DuckDBTimestampTZValue ? [`event_time < make_timestamptz(${to.micros})`] : []),
    ...(typeof segment === 'string' ? [`segment = ${literal(segment)}`] : []),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return `SELECT count(*) FILTER (is_bot) FROM ${rows} ${where}`;
}
