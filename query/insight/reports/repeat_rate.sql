-- repeat_rate: Share of customers who ordered more than once.
-- group: commercial
-- row: the period, always one
-- period: orders placed in it
-- segment: of the order, which is that of the event received first
-- columns: customers, orders, repeat_customers, repeat_rate, repeat_rate_low, repeat_rate_high, orders_per_customer
--   customers: different customers of a scope with an order that counts: by userId if the order has one, else by visitor
--   orders: their orders, each once
--   repeat_customers: customers with two orders or more
--   repeat_rate: repeat_customers / customers
--   repeat_rate_low: lower end of its 95 % confidence interval
--   repeat_rate_high: upper end
--   orders_per_customer: orders / customers
-- null: Counts are NULL if the shop sends no OrderCreated around the period. Rates without customers are NULL.
-- needs: OrderCreated with userId or anonymousId.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH customers AS (
  SELECT scope, coalesce('user:' || user_id, visitor_id) AS customer, count(*) AS orders
  FROM orders JOIN buyers USING (scope, order_id)
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  GROUP BY scope, customer
)
SELECT
  CASE WHEN (SELECT orders FROM tracked) THEN count(*) END AS customers,
  CASE WHEN (SELECT orders FROM tracked) THEN coalesce(sum(orders), 0)::BIGINT END AS orders,
  CASE WHEN (SELECT orders FROM tracked) THEN count(*) FILTER (WHERE orders > 1) END AS repeat_customers,
  count(*) FILTER (WHERE orders > 1) / nullif(count(*), 0) AS repeat_rate,
  wilson_low(count(*) FILTER (WHERE orders > 1), count(*)) AS repeat_rate_low,
  wilson_high(count(*) FILTER (WHERE orders > 1), count(*)) AS repeat_rate_high,
  sum(orders) / nullif(count(*), 0) AS orders_per_customer
FROM customers
