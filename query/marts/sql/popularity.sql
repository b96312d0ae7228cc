-- popularity: Popularity at the end of the last day with events. The weight of an event halves every seven days.
-- row: a product
-- reads: products_daily
-- columns:
--   product_id string: the product
--   click_score double: sum over its clicks of 2 ^ (-age / 7 days)
--   cart_score double: the same over cart adds
--   order_score double: the same over orders with it
--   clicks long: clicks, unweighted
--   cart_adds long: cart adds, unweighted
--   orders long: orders, unweighted
--   last_at timestamp: time of its last click, cart add or order
--   as_of date: ages are counted to the end of this day
WITH newest AS (SELECT max(date) AS as_of FROM products_daily),
aged AS (SELECT *, pow(2, -date_diff('day', date, as_of) / 7) AS age FROM products_daily CROSS JOIN newest)
SELECT product_id,
  sum(click_weight * age) AS click_score,
  sum(cart_weight * age) AS cart_score,
  sum(order_weight * age) AS order_score,
  sum(clicks) AS clicks, sum(cart_adds) AS cart_adds, sum(orders) AS orders,
  max(last_at) AS last_at, any_value(as_of) AS as_of
FROM aged
GROUP BY product_id
ORDER BY product_id
