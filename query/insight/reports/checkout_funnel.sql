-- checkout_funnel: The way of visits from a product to an order, step by step.
-- group: commercial
-- row: a step: 1 visit, 2 product, 3 cart, 4 checkout, 5 order
-- period: visits that began in it, whenever their steps were
-- segment: of the visit's first event
-- columns: step, name, visits, reached, rate, rate_low, rate_high, share
--   step: number of the step
--   name: visit, product (a click or a product page), cart (a cart add), checkout (CheckoutStarted), order (one that counts)
--   visits: visits with this step, whatever else they have
--   reached: visits with this step and every tracked one before
--   rate: reached / reached of the tracked step before
--   rate_low: lower end of its 95 % confidence interval
--   rate_high: upper end
--   share: reached / all visits
-- null: A step that the shop does not send around the period is NULL, and the next one goes by the step before it. The rate of
--   the first step is NULL. Without visits, visits and reached are 0, and rates NULL.
-- needs: ProductClicked or ProductViewed, ProductAddedToCart, CheckoutStarted, OrderCreated; sessionId tells visits best.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH marked AS (
  SELECT scope, session_key,
    bool_or(type IN ('ProductClicked', 'ProductViewed')) AS product,
    bool_or(type = 'ProductAddedToCart') AS cart,
    bool_or(type = 'CheckoutStarted') AS checkout
  FROM activity
  GROUP BY scope, session_key
),
asked AS (
  SELECT
    CASE WHEN (SELECT clicks OR product_views FROM tracked) THEN product END AS product,
    CASE WHEN (SELECT cart_adds FROM tracked) THEN cart END AS cart,
    CASE WHEN (SELECT checkouts FROM tracked) THEN checkout END AS checkout,
    CASE WHEN (SELECT orders FROM tracked) THEN sessions.orders > 0 END AS bought
  FROM sessions JOIN marked USING (scope, session_key)
  WHERE started_at >= $from AND started_at < $to AND ($segment IS NULL OR segment = $segment)
),
-- One row, so that a period without visits has its steps too.
counted AS (
  SELECT count(*) AS visits,
    count(*) FILTER (WHERE product) AS product,
    count(*) FILTER (WHERE cart) AS cart,
    count(*) FILTER (WHERE cart AND product IS NOT FALSE) AS product_cart,
    count(*) FILTER (WHERE checkout) AS checkout,
    count(*) FILTER (WHERE checkout AND cart IS NOT FALSE AND product IS NOT FALSE) AS cart_checkout,
    count(*) FILTER (WHERE bought) AS bought,
    count(*) FILTER (WHERE bought AND checkout IS NOT FALSE AND cart IS NOT FALSE AND product IS NOT FALSE) AS checkout_bought
  FROM asked
),
steps AS (
  SELECT 1 AS step, 'visit' AS name, visits, visits AS reached FROM counted
  UNION ALL
  SELECT 2, 'product', CASE WHEN clicks OR product_views THEN product END, CASE WHEN clicks OR product_views THEN product END
  FROM counted, tracked
  UNION ALL
  SELECT 3, 'cart', CASE WHEN cart_adds THEN cart END, CASE WHEN cart_adds THEN product_cart END FROM counted, tracked
  UNION ALL
  SELECT 4, 'checkout', CASE WHEN checkouts THEN checkout END, CASE WHEN checkouts THEN cart_checkout END FROM counted, tracked
  UNION ALL
  SELECT 5, 'order', CASE WHEN orders THEN bought END, CASE WHEN orders THEN checkout_bought END FROM counted, tracked
),
followed AS (
  SELECT *, lag(reached IGNORE NULLS) OVER (ORDER BY step) AS before, first_value(visits) OVER (ORDER BY step) AS all_visits
  FROM steps
)
SELECT step, name, visits, reached, reached / nullif(before, 0) AS rate,
  wilson_low(reached, before) AS rate_low, wilson_high(reached, before) AS rate_high,
  reached / nullif(all_visits, 0) AS share
FROM followed
ORDER BY step
