-- click_outcomes: One row per click with what came of it: the cart adds and order lines whose chain begins with it.
WITH fates AS (
  SELECT click_event_id,
    count(*) FILTER (WHERE kind = 'cart') AS cart_adds,
    count(*) FILTER (WHERE kind = 'order_line') AS order_lines
  FROM attribution
  WHERE kind <> 'click' AND click_event_id IS NOT NULL
  GROUP BY click_event_id
)
SELECT event_id, event_time, date, segment, session_key, visitor_id, product_id, variant_id, position,
  source, search_key, recommendation_id, list_id, method, rule,
  coalesce(fates.cart_adds, 0) AS cart_adds, coalesce(fates.order_lines, 0) AS order_lines
FROM attribution LEFT JOIN fates ON fates.click_event_id = attribution.event_id
WHERE kind = 'click'
