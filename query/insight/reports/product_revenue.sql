-- product_revenue: Revenue of each product, gross and net.
-- group: product
-- row: a product, a currency, and whether prices include tax
-- period: orders placed in it, and refunds that happened in it
-- segment: of the order or the refund
-- param limit INTEGER 1000: most rows
-- columns: product_id, currency, prices_include_tax, orders, quantity, revenue, refunded, net_revenue, share
--   product_id: the product
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; prices with and without tax are never added; NULL if the orders do not say
--   orders: orders with the product
--   quantity: quantity ordered
--   revenue: sum of quantity * unitPrice - discount of its lines; without the order's own discount and shipping
--   refunded: refunds of its lines and of whole orders; refunds that state only an amount belong to no product
--   net_revenue: revenue - refunded
--   share: revenue / revenue of all products in the currency with the same prices_include_tax
-- null: share is NULL if the revenue it divides by is 0. A product neither ordered nor refunded has no row.
-- needs: OrderCreated.
-- source: Own definition.
WITH moved AS (
  SELECT product_id, currency, prices_include_tax, scope || ' ' || order_id AS basket, quantity, line_total, 0 AS amount
  FROM order_lines
  WHERE product_id IS NOT NULL AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  UNION ALL
  SELECT product_id, currency, prices_include_tax, NULL, 0, 0, amount
  FROM refund_lines
  WHERE product_id IS NOT NULL AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
)
SELECT product_id, currency, prices_include_tax,
  count(DISTINCT basket) AS orders,
  sum(quantity) AS quantity,
  sum(line_total) AS revenue,
  coalesce(sum(amount), 0) AS refunded,
  sum(line_total) - coalesce(sum(amount), 0) AS net_revenue,
  sum(line_total) / nullif(sum(sum(line_total)) OVER (PARTITION BY currency, prices_include_tax), 0) AS share
FROM moved
GROUP BY product_id, currency, prices_include_tax
ORDER BY revenue DESC, product_id, currency, prices_include_tax
LIMIT $limit
