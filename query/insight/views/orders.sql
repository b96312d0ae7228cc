-- orders: One row per order_id, even if it was sent several times, by a reloaded page or by browser and backend.
--
-- The event received first counts (by received_at, then event_time, then event_id). Its amounts, lines, time and segment are
-- the order's, so a known order never changes. The other events fill in missing session_id, anonymous_id, user_id, consent and
-- the search_id of lines, in the same order. Bots' events are left out.
--
-- - sent_count: number of events about the order.
-- - sent_by_count: number of different keys they came with.
-- - amounts_differ: whether the events have a different total or currency.
-- - items: sum of the lines' quantities.
-- - line_discount: sum of the lines' discounts; NULL if no line has one.
-- - goods_total: sum of the lines' quantity * unit_price - discount.
WITH sent AS NOT MATERIALIZED (
  SELECT {{columns OrderCreated}}, segment, date, (received_at, event_time, event_id) AS received_order
  FROM events_with_bots
  WHERE type = 'OrderCreated' AND is_bot IS DISTINCT FROM (type IS NOT NULL)
),
firsts AS (
  -- arg_min passes over rows where its first argument is NULL.
  SELECT order_id,
    min(received_order) AS received_order,
    count(*) AS sent_count,
    count(DISTINCT key_id) AS sent_by_count,
    min(total) <> max(total) OR min(currency) <> max(currency) AS amounts_differ,
    arg_min(session_id, received_order) AS any_session_id,
    arg_min(anonymous_id, received_order) AS any_anonymous_id,
    arg_min(user_id, received_order) AS any_user_id,
    arg_min(consent_analytics, received_order) AS any_consent_analytics,
    arg_min(consent_personalization, received_order) AS any_consent_personalization
  FROM sent
  GROUP BY order_id
),
line_searches AS (
  SELECT order_id, list(line ORDER BY received_order) AS lines_with_search
  FROM (SELECT order_id, received_order, unnest(lines) AS line FROM sent SEMI JOIN (FROM firsts WHERE sent_count > 1) USING (order_id))
  WHERE line.search_id IS NOT NULL
  GROUP BY order_id
)
SELECT sent.* EXCLUDE (received_order)
  REPLACE (
    any_session_id AS session_id,
    any_anonymous_id AS anonymous_id,
    any_user_id AS user_id,
    any_consent_analytics AS consent_analytics,
    any_consent_personalization AS consent_personalization,
    CASE WHEN lines_with_search IS NULL THEN lines
      ELSE list_transform(lines, lambda line: {{item of lines with search_id}}coalesce(
        line.search_id,
        list_filter(lines_with_search, lambda other: other.product_id = line.product_id
          AND (other.variant_id = line.variant_id) IS NOT FALSE)[1].search_id
      ){{end}}) END AS lines
  ),
  list_sum(list_transform(lines, lambda line: line.quantity)) AS items,
  list_sum(list_transform(lines, lambda line: line.discount)) AS line_discount,
  list_sum(list_transform(lines, lambda line:
    CAST(CAST(line.quantity AS DECIMAL(38, 4)) * line.unit_price AS DECIMAL(38, 4)) - coalesce(line.discount, 0))) AS goods_total,
  sent_count, sent_by_count, amounts_differ
FROM sent
JOIN firsts USING (order_id, received_order)
LEFT JOIN line_searches USING (order_id)
