-- click_outcomes: One row per click with its outcome: the cart adds and order lines whose chain begins with it.
--
-- Grouped in one pass, because a join of attribution with itself would keep all of it in memory.
SELECT click_event_id AS event_id,
  any_value(event_time) FILTER (WHERE kind = 'click') AS event_time,
  any_value(date) FILTER (WHERE kind = 'click') AS date,
  any_value(segment) FILTER (WHERE kind = 'click') AS segment,
  any_value(scope) FILTER (WHERE kind = 'click') AS scope,
  any_value(session_key) FILTER (WHERE kind = 'click') AS session_key,
  any_value(visitor_id) FILTER (WHERE kind = 'click') AS visitor_id,
  any_value(product_id) AS product_id,
  any_value(position) FILTER (WHERE kind = 'click') AS position,
  any_value(source) FILTER (WHERE kind = 'click') AS source,
  any_value(search_key) FILTER (WHERE kind = 'click') AS search_key,
  any_value(recommendation_id) FILTER (WHERE kind = 'click') AS recommendation_id,
  any_value(list_id) FILTER (WHERE kind = 'click') AS list_id,
  any_value(method) FILTER (WHERE kind = 'click') AS method,
  count(*) FILTER (WHERE kind = 'cart') AS cart_adds,
  count(*) FILTER (WHERE kind = 'order_line') AS order_lines
FROM attribution
WHERE click_event_id IS NOT NULL
GROUP BY click_event_id
HAVING bool_or(kind = 'click')
