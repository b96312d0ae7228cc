-- cart_changes: What goes into the cart and what is taken out again, by product.
-- group: product
-- row: a product that was put in a cart or taken out
-- period: cart adds and removals in it
-- segment: of the cart add or removal
-- param limit INTEGER 1000: most rows
-- columns: product_id, cart_adds, quantity_added, removals, quantity_removed, visits, visits_removed, removal_rate, removal_rate_low, removal_rate_high
--   product_id: the product
--   cart_adds: number of cart adds
--   quantity_added: sum of their quantities
--   removals: number of removals
--   quantity_removed: sum of their quantities
--   visits: visits that put it in the cart
--   visits_removed: those of them that took some or all of it out again
--   removal_rate: visits_removed / visits
--   removal_rate_low: lower end of its 95 % confidence interval
--   removal_rate_high: upper end
-- null: Measures of removals are NULL if the shop sends no ProductRemovedFromCart around the period, and those of cart adds
--   without ProductAddedToCart; else they are 0. Rates are NULL without a visit that put it in the cart.
-- needs: ProductAddedToCart, ProductRemovedFromCart.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH units AS (
  SELECT product_id, scope, session_key,
    count(*) FILTER (WHERE type = 'ProductAddedToCart') AS adds,
    sum(quantity) FILTER (WHERE type = 'ProductAddedToCart') AS added,
    count(*) FILTER (WHERE type = 'ProductRemovedFromCart') AS removals,
    sum(quantity) FILTER (WHERE type = 'ProductRemovedFromCart') AS removed
  FROM activity
  WHERE type IN ('ProductAddedToCart', 'ProductRemovedFromCart')
    AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  GROUP BY ALL
),
counted AS (
  SELECT product_id, sum(adds)::BIGINT AS adds, coalesce(sum(added), 0) AS added, sum(removals)::BIGINT AS removals,
    coalesce(sum(removed), 0) AS removed, count(*) FILTER (WHERE adds > 0) AS visits,
    count(*) FILTER (WHERE adds > 0 AND removals > 0) AS visits_removed
  FROM units
  GROUP BY product_id
),
known AS (
  SELECT product_id,
    CASE WHEN (SELECT cart_adds FROM tracked) THEN adds END AS cart_adds,
    CASE WHEN (SELECT cart_adds FROM tracked) THEN added END AS quantity_added,
    CASE WHEN (SELECT cart_removals FROM tracked) THEN removals END AS removals,
    CASE WHEN (SELECT cart_removals FROM tracked) THEN removed END AS quantity_removed,
    CASE WHEN (SELECT cart_adds FROM tracked) THEN visits END AS visits,
    CASE WHEN (SELECT cart_adds AND cart_removals FROM tracked) THEN visits_removed END AS visits_removed
  FROM counted
)
SELECT *, visits_removed / nullif(visits, 0) AS removal_rate,
  wilson_low(visits_removed, visits) AS removal_rate_low, wilson_high(visits_removed, visits) AS removal_rate_high
FROM known
ORDER BY cart_adds DESC NULLS LAST, removals DESC NULLS LAST, product_id
LIMIT $limit
