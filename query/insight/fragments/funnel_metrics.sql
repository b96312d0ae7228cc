-- funnel_metrics: Click to cart to order, over units(carted, bought): one row per visit and product clicked in it.
--
-- columns:
--   visits: visits with a click on the product
--   carted: those whose click led to a cart add
--   bought: those whose click led to an order line, within 7 days
--   cart_rate: carted / visits
--   cart_rate_low: lower end of its 95 % confidence interval
--   cart_rate_high: upper end
--   order_rate: bought / visits
--   order_rate_low: lower end of its 95 % confidence interval
--   order_rate_high: upper end
--   cart_to_order_rate: those both carted and bought / carted
count(*) AS visits,
CASE WHEN (SELECT cart_adds FROM tracked) THEN count(*) FILTER (WHERE carted) END AS carted,
CASE WHEN (SELECT orders FROM tracked) THEN count(*) FILTER (WHERE bought) END AS bought,
CASE WHEN (SELECT cart_adds FROM tracked) THEN count(*) FILTER (WHERE carted) / count(*) END AS cart_rate,
CASE WHEN (SELECT cart_adds FROM tracked) THEN wilson_low(count(*) FILTER (WHERE carted), count(*)) END AS cart_rate_low,
CASE WHEN (SELECT cart_adds FROM tracked) THEN wilson_high(count(*) FILTER (WHERE carted), count(*)) END AS cart_rate_high,
CASE WHEN (SELECT orders FROM tracked) THEN count(*) FILTER (WHERE bought) / count(*) END AS order_rate,
CASE WHEN (SELECT orders FROM tracked) THEN wilson_low(count(*) FILTER (WHERE bought), count(*)) END AS order_rate_low,
CASE WHEN (SELECT orders FROM tracked) THEN wilson_high(count(*) FILTER (WHERE bought), count(*)) END AS order_rate_high,
CASE WHEN (SELECT orders FROM tracked) THEN count(*) FILTER (WHERE carted AND bought) / nullif(count(*) FILTER (WHERE carted), 0) END
  AS cart_to_order_rate
