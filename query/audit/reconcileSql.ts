import { literal } from '../../lake/duckdb/sqlText.ts';
import type { TableName } from '../../lake/layout/tables.ts';
import type { Days } from './expected.ts';

/** Codes of unstorable events in the quarantine (lake/window/rejected.ts). */
const SET_ASIDE = "('event_unreadable', 'schema_unknown')";

/** A macro that reads a base-36 number of a receipt. */
const BASE36 = `CREATE OR REPLACE TEMP MACRO base36(t) AS
  list_reduce(list_prepend(0::BIGINT, list_transform(string_split(t, ''),
    lambda c: strpos('0123456789abcdefghijklmnopqrstuvwxyz', c) - 1)), lambda a, b: a * 36 + b)`;

/** Statements that load the compared tables from JSON lines and data files. */
export function loadStatements(files: {
  expected: string;
  named: string;
  commits: string;
  rows: Record<TableName, readonly string[]>;
  days: Days;
  /** Whether files may have columns of their own, as those of other tools. */
  mixed: boolean;
}): string[] {
  const { expected, named, commits, rows, days, mixed } = files;
  const json = (file: string, columns: Record<string, string>): string =>
    `read_json(${literal(file)}, format = 'newline_delimited', columns = {${Object.entries(columns)
      .map(([name, type]) => `${literal(name)}: ${literal(type)}`)
      .join(', ')}})`;
  const counts = { accepted: 'BIGINT', refused: 'BIGINT', pending: 'BIGINT', refusedPending: 'BIGINT' };
  const within = `received_at >= TIMESTAMPTZ ${literal(`${days.from}T00:00:00Z`)}
    AND received_at < TIMESTAMPTZ ${literal(`${days.to}T00:00:00Z`)} + INTERVAL 1 DAY`;
  const day = "strftime(received_at, '%Y-%m-%d')";
  const read = (paths: readonly string[], columns: string): string =>
    paths.length === 0
      ? `(SELECT NULL::VARCHAR AS receipt_id, NULL::INTEGER AS receipt_index, NULL::TIMESTAMPTZ AS received_at,
           NULL::VARCHAR AS code WHERE false)`
      : `(SELECT ${columns} FROM read_parquet([${paths.map(literal).join(', ')}], union_by_name = ${mixed}))`;
  const base = 'receipt_id, receipt_index, received_at';
  return [
    BASE36,
    `CREATE OR REPLACE TEMP TABLE expected AS SELECT * FROM ${json(expected, { r: 'VARCHAR', day: 'VARCHAR', ...counts })}`,
    `CREATE OR REPLACE TEMP TABLE named AS SELECT r, sum(duplicate) AS duplicate, sum(erased) AS erased,
       sum(refusedErased) AS refused_erased
     FROM ${json(named, { r: 'VARCHAR', duplicate: 'BIGINT', erased: 'BIGINT', refusedErased: 'BIGINT' })} GROUP BY r`,
    `CREATE OR REPLACE TEMP TABLE commits AS SELECT * FROM ${json(commits, COMMIT_COLUMNS)}`,
    `CREATE OR REPLACE TEMP TABLE stored AS
     SELECT receipt_id AS r, ${day} AS day, count(*) AS stored_rows, count(DISTINCT receipt_index) AS stored_events,
       max(receipt_index) AS last_index
     FROM ${read(rows.events, base)} WHERE ${within} GROUP BY ALL`,
    `CREATE OR REPLACE TEMP TABLE kept AS
     SELECT receipt_id AS r, ${day} AS day,
       count(*) FILTER (code IN ${SET_ASIDE}) AS unstorable_rows,
       count(DISTINCT receipt_index) FILTER (code IN ${SET_ASIDE}) AS unstorable_events,
       count(*) FILTER (code NOT IN ${SET_ASIDE}) AS refused_rows,
       count(DISTINCT coalesce(receipt_index, -1)) FILTER (code NOT IN ${SET_ASIDE}) AS refused_events,
       max(receipt_index) AS last_index
     FROM ${read(rows.quarantine, `${base}, code`)} WHERE ${within} GROUP BY ALL`,
    // One row for each batch of any source.
    `CREATE OR REPLACE TEMP TABLE batches AS
     SELECT coalesce(expected.r, stored.r, kept.r) AS r, coalesce(expected.day, stored.day, kept.day) AS day,
       expected.r IS NOT NULL AS held,
       coalesce(expected.accepted, 0) AS accepted, coalesce(expected.pending, 0) AS pending,
       coalesce(expected.refused, 0) AS refused, coalesce(expected.refusedPending, 0) AS refused_pending,
       coalesce(stored_rows, 0) AS stored_rows, coalesce(stored_events, 0) AS stored_events,
       coalesce(unstorable_rows, 0) AS unstorable_rows, coalesce(unstorable_events, 0) AS unstorable_events,
       coalesce(refused_rows, 0) AS refused_rows, coalesce(refused_events, 0) AS refused_events,
       greatest(coalesce(stored.last_index, -1), coalesce(kept.last_index, -1)) AS last_index,
       coalesce(named.duplicate, 0) AS duplicate, coalesce(named.erased, 0) AS erased,
       coalesce(named.refused_erased, 0) AS refused_erased
     FROM expected FULL JOIN stored ON expected.r = stored.r AND expected.day = stored.day
       FULL JOIN kept ON kept.r = coalesce(expected.r, stored.r) AND kept.day = coalesce(expected.day, stored.day)
       LEFT JOIN named ON named.r = coalesce(expected.r, stored.r, kept.r)`,
  ];
}

const COMMIT_COLUMNS = {
  version: 'BIGINT',
  epoch: 'VARCHAR',
  first: 'BIGINT',
  last: 'BIGINT',
  day: 'VARCHAR',
  stored: 'BIGINT',
};

/** Query of the sums by day. */
export const SELECT_DAYS = `SELECT day, sum(accepted) AS accepted, sum(pending) AS pending, sum(refused) AS refused,
  sum(refused_pending) AS refused_pending, sum(stored_rows) AS stored, sum(unstorable_rows) AS unstorable,
  sum(refused_rows) AS kept
  FROM batches GROUP BY day ORDER BY day`;

/** The checked part of the stream, and the days that retention has removed. */
export interface HeldEvents {
  /** The stream's epoch in base 36. */
  epoch: string;
  /** First sequences counted in the stream itself. */
  from: number;
  quarantineFrom: number;
  /** Days with removed rows, whose batches are not recorded. */
  expired: Record<TableName, readonly string[]>;
}

/**
 * Query of batches with a difference.
 *
 * An erased row of the quarantine may have been an unstorable event. As many are taken for such as accepted events are missing;
 * the others count as rejected ones.
 */
export function selectDifferences({ epoch, from, quarantineFrom, expired }: HeldEvents, limit: number): string {
  return `WITH placed AS (
      SELECT *, split_part(r, '-', 1) = ${literal(epoch)} AS of_stream, base36(split_part(r, '-', 3)) AS seq,
        accepted - pending - duplicate - erased - stored_events - unstorable_events AS missing
      FROM batches),
    attributed AS (SELECT *, least(refused_erased, greatest(missing, 0)) AS unstorable_erased FROM placed),
    judged AS (
      SELECT *,
        (stored_rows - stored_events) + (unstorable_rows - unstorable_events) + (refused_rows - refused_events) AS doubled,
        CASE WHEN of_stream AND seq >= ${from} AND NOT ${isOneOf('day', expired.events)}
          THEN missing - unstorable_erased ELSE 0 END AS lacking,
        CASE WHEN of_stream AND seq >= ${quarantineFrom} AND NOT ${isOneOf('day', expired.quarantine)}
          THEN refused - refused_pending - (refused_erased - unstorable_erased) - refused_events ELSE 0 END AS refused_lacking
      FROM attributed)
    SELECT r, day, held, accepted, stored_rows, unstorable_rows, refused_rows, duplicate, erased, refused, doubled,
      lacking, refused_lacking,
      count(*) OVER () AS total
    FROM judged WHERE doubled > 0 OR lacking <> 0 OR refused_lacking <> 0 ORDER BY day, seq, r LIMIT ${limit}`;
}

/**
 * Query of older commits whose rows have changed in number.
 *
 * These commits are from before the stream's first message. The result names receipts with gaps among their rows.
 */
export function selectCommits({ expired }: HeldEvents, limit: number): string {
  return `WITH placed AS (
      SELECT *, split_part(r, '-', 1) AS of_epoch, base36(split_part(r, '-', 3)) AS seq FROM batches),
    compared AS (
      SELECT commits.version, commits.first, commits.last, commits.day, any_value(commits.stored) AS expected,
        coalesce(sum(placed.stored_events + placed.erased), 0) AS found,
        list(placed.r) FILTER (placed.last_index + 1 > placed.stored_events + placed.unstorable_events
          + placed.refused_events + placed.duplicate + placed.erased + placed.refused_erased) AS gaps
      FROM commits LEFT JOIN placed ON placed.of_epoch = commits.epoch AND placed.day = commits.day
        AND placed.seq BETWEEN commits.first AND commits.last
      WHERE NOT ${isOneOf('commits.day', expired.events)}
      GROUP BY ALL)
    SELECT version, first, last, day, expected, found, array_to_string(gaps[1:20], ' ') AS gaps
    FROM compared WHERE expected <> found ORDER BY version LIMIT ${limit}`;
}

function isOneOf(column: string, texts: readonly string[]): string {
  return texts.length === 0 ? 'false' : `${column} IN (${texts.map(literal).join(', ')})`;
}
