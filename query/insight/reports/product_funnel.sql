-- product_funnel: Click to cart to order by product, with confidence intervals.
-- group: product
-- row: a product that was clicked
-- period: clicks made in it, with their cart adds and orders, also after its end
-- segment: of the click
-- param limit INTEGER 1000: most rows
-- columns: product_id, clicks, funnel_metrics
--   product_id: the product
--   clicks: clicks on it; several in one visit count once in visits
-- null: Measures of carts and orders are NULL if the shop sends no such events around the period, else 0. The column
--   cart_to_order_rate is NULL if nothing was carted. A product never clicked has no row.
-- needs: ProductClicked, ProductAddedToCart, OrderCreated; sessionId tells visits best.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH units AS (
  SELECT product_id, scope, session_key, count(*) AS clicks, bool_or(cart_adds > 0) AS carted, bool_or(order_lines > 0) AS bought
  FROM click_outcomes
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  GROUP BY product_id, scope, session_key
)
SELECT product_id, sum(clicks)::BIGINT AS clicks, {{funnel_metrics}}
FROM units
GROUP BY product_id
ORDER BY visits DESC, product_id
LIMIT $limit
