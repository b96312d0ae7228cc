import type { Json } from '../../query/formats/values.ts';

/** A row of UBI_QUERIES. */
export interface UbiQueryRow {
  application: string;
  query_id: string;
  client_id: string;
  user_query: string;
  timestamp: string;
  hits: Json[] | null;
  results_count: number | null;
  page_size: number | null;
  sort: string | null;
  filters: Json[] | null;
}

/** A row of UBI_EVENTS. */
export interface UbiEventRow {
  application: string;
  action_name: string;
  query_id: string;
  session_id: string;
  client_id: string;
  timestamp: string;
  object_id: string;
  position: number | null;
}

/** Longest id in UBI 1.3, and longest id of an object. */
const LONGEST_ID = 100;
const LONGEST_OBJECT = 256;

/** Searches, each as its first page of results was shown. $FROM and $TO become moments. */
export const UBI_QUERIES = `
SELECT segment AS application, coalesce(search_id, event_id) AS query_id, visitor_id AS client_id, phrase AS user_query,
  event_time AS timestamp, result_ids AS hits, results_count, page_size, sort, filters
FROM activity
WHERE type = 'Search' AND event_time >= $FROM AND event_time < $TO
QUALIFY row_number() OVER (PARTITION BY scope, query_id ORDER BY event_time, event_id) = 1
ORDER BY timestamp, query_id`;

/** What visitors saw and did after these searches. A cart add and an order line have the position of their click. */
export const UBI_EVENTS = `
WITH clicks AS (SELECT event_id AS click_event_id, position AS click_position FROM attribution WHERE kind = 'click'),
led AS (
  SELECT segment, CASE kind WHEN 'click' THEN 'click' WHEN 'cart' THEN 'add_to_cart' ELSE 'purchase' END AS action_name,
    search_key, session_key, visitor_id, event_time, product_id, coalesce(position, click_position) AS position
  FROM attribution LEFT JOIN clicks USING (click_event_id)
  WHERE search_key IS NOT NULL AND product_id IS NOT NULL
  UNION ALL
  SELECT segment, 'impression', search_key, session_key, visitor_id, event_time, product_id, position
  FROM shown_products
  WHERE source = 'search'
)
SELECT segment AS application, action_name, search_key AS query_id, coalesce(session_key, '') AS session_id,
  visitor_id AS client_id, event_time AS timestamp, product_id AS object_id, position
FROM led
WHERE event_time >= $FROM AND event_time < $TO
ORDER BY timestamp, query_id, action_name, object_id, position`;

/**
 * A search as UBI 1.3 has it (https://o19s.github.io/ubi/schema/1.3.0/query.request.schema.json).
 * @returns undefined if an id is longer than UBI allows
 */
export function ubiQuery(row: UbiQueryRow): Json | undefined {
  if (tooLong(row.query_id, row.client_id)) return undefined;
  const { results_count, page_size, sort, filters } = row;
  return {
    application: row.application,
    query_id: row.query_id,
    client_id: row.client_id,
    user_query: row.user_query,
    query_attributes: known({ results_count, page_size, sort, filters }),
    timestamp: row.timestamp,
    ...known({ query_response_hit_ids: row.hits }),
  };
}

/**
 * An event as UBI 1.3 has it (https://o19s.github.io/ubi/schema/1.3.0/event.schema.json).
 * @returns undefined if an id is longer than UBI allows, or the position that it requires is not known
 */
export function ubiEvent(row: UbiEventRow): Json | undefined {
  const { object_id, position, session_id } = row;
  if (position === null || tooLong(row.query_id, row.client_id) || object_id.length > LONGEST_OBJECT) return undefined;
  return {
    application: row.application,
    action_name: row.action_name,
    query_id: row.query_id,
    ...(session_id === '' || tooLong(session_id) ? {} : { session_id }),
    client_id: row.client_id,
    timestamp: row.timestamp,
    event_attributes: { object: { object_id, object_id_type: 'product' }, position: { ordinal: position } },
  };
}

function tooLong(...ids: readonly string[]): boolean {
  return ids.some((id) => id.length > LONGEST_ID);
}

/** The fields with a value, as UBI has no null. */
function known(fields: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
