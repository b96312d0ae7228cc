-- product_trend: Rising and falling products: this period, the one before, and the slope over the days.
-- group: product
-- row: a product clicked or ordered in the period or the one before
-- period: clicks and orders in it, and in the period of the same length before. Of a period that is not over, the part
--   that has passed is compared with as long a part of the period before
-- segment: of the click or the order
-- param limit INTEGER 1000: most rows
-- columns: product_id, clicks, clicks_before, clicks_change, click_slope, orders, orders_before, orders_change
--   product_id: the product
--   clicks: clicks in the period
--   clicks_before: clicks in the period before
--   clicks_change: clicks / clicks_before - 1
--   click_slope: clicks per day gained each day of the period: slope of the least-squares line through its days; days
--     without clicks count as 0
--   orders: orders with the product in the period
--   orders_before: orders with the product in the period before
--   orders_change: orders / orders_before - 1
-- null: A change from 0 is NULL. click_slope is NULL for a period of one day. Clicks or orders are NULL if the shop sends
--   no such events around the period.
-- needs: ProductClicked, OrderCreated.
-- source: Simple linear regression by least squares.
WITH events_of AS (
  SELECT product_id, event_time, NULL::VARCHAR AS order_id, segment FROM product_clicks
  UNION ALL
  SELECT product_id, event_time, scope || ' ' || order_id AS order_id, segment FROM order_lines WHERE product_id IS NOT NULL
),
daily AS (
  SELECT product_id, CASE WHEN event_time >= $from THEN local_day(event_time, $zone) END AS date,
    count(*) FILTER (WHERE order_id IS NULL) AS clicks, list(DISTINCT order_id) AS orders
  FROM events_of
  WHERE (event_time >= $from AND event_time < $to OR event_time >= $before AND event_time < $before_to)
    AND ($segment IS NULL OR segment = $segment)
  GROUP BY ALL
),
span AS (
  SELECT date_diff('day', local_day($from, $zone), local_day($to - INTERVAL 1 MICROSECOND, $zone))::HUGEINT + 1 AS days
),
-- Least squares over the days 0 to n - 1, of which those without clicks add nothing to the sums of y and x * y.
totals AS (
  SELECT product_id,
    coalesce(sum(clicks) FILTER (WHERE date IS NOT NULL), 0)::BIGINT AS clicks,
    coalesce(sum(clicks) FILTER (WHERE date IS NULL), 0)::BIGINT AS clicks_before,
    coalesce(sum(clicks * date_diff('day', local_day($from, $zone), date)), 0) AS clicks_by_day,
    coalesce(len(list_distinct(flatten(list(orders) FILTER (WHERE date IS NOT NULL)))), 0) AS orders,
    coalesce(len(list_distinct(flatten(list(orders) FILTER (WHERE date IS NULL)))), 0) AS orders_before
  FROM daily
  GROUP BY product_id
)
SELECT product_id,
  CASE WHEN tracked.clicks THEN totals.clicks END AS clicks,
  CASE WHEN tracked.clicks THEN clicks_before END AS clicks_before,
  CASE WHEN tracked.clicks THEN totals.clicks / nullif(clicks_before, 0) - 1 END AS clicks_change,
  CASE WHEN tracked.clicks THEN
    (days * clicks_by_day - days * (days - 1) / 2 * totals.clicks) / nullif(days * days * (days * days - 1) / 12, 0)
  END AS click_slope,
  CASE WHEN tracked.orders THEN totals.orders END AS orders,
  CASE WHEN tracked.orders THEN orders_before END AS orders_before,
  CASE WHEN tracked.orders THEN totals.orders / nullif(orders_before, 0) - 1 END AS orders_change
FROM totals CROSS JOIN span CROSS JOIN tracked
ORDER BY totals.clicks + totals.orders DESC, product_id
LIMIT $limit
