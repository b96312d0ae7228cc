-- popularity: Popularity at the end of the period; the weight of an event halves with every half-life.
-- group: personalization
-- row: a product clicked, put in the cart or ordered in the period
-- period: clicks, cart adds and orders in it; ages are counted back from its end
-- segment: of the event
-- param half_life_days DOUBLE 7: days after which an event weighs half
-- param limit INTEGER 1000: most rows
-- columns: product_id, click_score, cart_score, order_score, clicks, cart_adds, orders, last_at
--   product_id: the product
--   click_score: sum over its clicks of 2 ^ (-age / half-life)
--   cart_score: the same over cart adds
--   order_score: the same over orders with it
--   clicks: clicks, unweighted
--   cart_adds: cart adds, unweighted
--   orders: orders, unweighted
--   last_at: time of its last click, cart add or order
-- null: Scores and counts of clicks, carts or orders are NULL if the shop sends no such events around the period.
-- needs: ProductClicked, ProductAddedToCart, OrderCreated, each for its scores.
-- source: Exponential decay with a half-life.
WITH touched AS (
  SELECT product_id, 'click' AS kind, event_time, segment FROM product_clicks
  UNION ALL
  SELECT product_id, 'cart' AS kind, event_time, segment FROM cart_adds
  UNION ALL
  SELECT DISTINCT ON (scope, order_id, product_id) product_id, 'order' AS kind, event_time, segment FROM order_lines
  WHERE product_id IS NOT NULL
),
weighed AS (
  SELECT *, pow(2, -(epoch_us($to) - epoch_us(event_time)) / 86_400_000_000 / $half_life_days) AS weight
  FROM touched
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
)
SELECT product_id,
  CASE WHEN (SELECT clicks FROM tracked) THEN coalesce(sum(weight) FILTER (WHERE kind = 'click'), 0) END AS click_score,
  CASE WHEN (SELECT cart_adds FROM tracked) THEN coalesce(sum(weight) FILTER (WHERE kind = 'cart'), 0) END AS cart_score,
  CASE WHEN (SELECT orders FROM tracked) THEN coalesce(sum(weight) FILTER (WHERE kind = 'order'), 0) END AS order_score,
  CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE kind = 'click') END AS clicks,
  CASE WHEN (SELECT cart_adds FROM tracked) THEN count(*) FILTER (WHERE kind = 'cart') END AS cart_adds,
  CASE WHEN (SELECT orders FROM tracked) THEN count(*) FILTER (WHERE kind = 'order') END AS orders,
  max(event_time) AS last_at
FROM weighed
GROUP BY product_id
ORDER BY click_score DESC NULLS LAST, product_id
LIMIT $limit
