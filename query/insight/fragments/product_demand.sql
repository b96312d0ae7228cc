-- product_demand: Clicks, cart adds and orders of products in the period, each as a row.
--
-- columns:
--   clicks: clicks in the period
--   cart_adds: cart adds in the period
--   orders: orders with the product in the period
SELECT scope, product_id, 'click' AS kind, event_time FROM product_clicks
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
UNION ALL
SELECT scope, product_id, 'cart', event_time FROM cart_adds
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
UNION ALL
SELECT DISTINCT ON (scope, order_id, product_id) scope, product_id, 'order', event_time FROM order_lines
WHERE product_id IS NOT NULL AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
