-- product_revenue: Revenue of each product.
-- group: product
-- row: a product and a currency in which it was ordered
-- period: orders placed in it
-- segment: of the order
-- param limit INTEGER 1000: most rows
-- columns: product_id, currency, orders, quantity, revenue, share
--   product_id: the product
--   currency: amounts of different currencies are never added
--   orders: orders with the product
--   quantity: quantity ordered
--   revenue: sum of quantity * unitPrice - discount of its lines; without the order's own discount and shipping
--   share: revenue / revenue of all products in the currency
-- null: share is NULL if the currency's revenue is 0. A product never ordered has no row.
-- needs: OrderCreated.
-- source: Own definition.
SELECT product_id, currency,
  count(DISTINCT order_id) AS orders,
  sum(quantity) AS quantity,
  sum(line_total) AS revenue,
  sum(line_total) / nullif(sum(sum(line_total)) OVER (PARTITION BY currency), 0) AS share
FROM order_lines
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY product_id, currency
ORDER BY revenue DESC, product_id, currency
LIMIT $limit
