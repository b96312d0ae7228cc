-- products_daily: Clicks, cart adds and orders by day, segment and product. The counts add up over days.
-- row: a UTC day, a segment and a product clicked, put in the cart or ordered on it
-- columns:
--   date date: the UTC day
--   segment string: the segment of the event
--   product_id string: the product
--   clicks long: clicks on it
--   cart_adds long: cart adds of it
--   orders long: orders with it
--   quantity_ordered decimal38: quantity ordered
--   click_weight double: sum over its clicks of 2 ^ (-(time to the end of the day) / 7 days)
--   cart_weight double: the same over cart adds
--   order_weight double: the same over orders
--   last_at timestamp: time of the last of these
WITH touched AS (
  SELECT date, segment, product_id, 'click' AS kind, event_time, NULL AS quantity FROM product_clicks
  WHERE date >= $first AND date <= $last
  UNION ALL
  SELECT date, segment, product_id, 'cart' AS kind, event_time, NULL AS quantity FROM cart_adds
  WHERE date >= $first AND date <= $last
  UNION ALL
  SELECT any_value(date), any_value(segment), product_id, 'order' AS kind, any_value(event_time), sum(quantity) AS quantity
  FROM order_lines
  WHERE product_id IS NOT NULL AND date >= $first AND date <= $last
  GROUP BY scope, order_id, product_id
),
weighed AS (
  SELECT *, pow(2, -(epoch_us((date + 1)::TIMESTAMP) - epoch_us(event_time)) / 86_400_000_000 / 7) AS weight FROM touched
)
SELECT date, segment, product_id,
  count(*) FILTER (WHERE kind = 'click') AS clicks,
  count(*) FILTER (WHERE kind = 'cart') AS cart_adds,
  count(*) FILTER (WHERE kind = 'order') AS orders,
  coalesce(sum(quantity), 0) AS quantity_ordered,
  coalesce(sum(weight) FILTER (WHERE kind = 'click'), 0) AS click_weight,
  coalesce(sum(weight) FILTER (WHERE kind = 'cart'), 0) AS cart_weight,
  coalesce(sum(weight) FILTER (WHERE kind = 'order'), 0) AS order_weight,
  max(event_time) AS last_at
FROM weighed
GROUP BY ALL
