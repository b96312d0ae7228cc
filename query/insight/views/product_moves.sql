-- product_moves: One row per order line and refunded line with a product, with what the catalogue said at its time.
--
-- category and brand are those of the version at the time; before the first version, those of the first. cost is that of the
-- version at the time, in the currency of the line; NULL before the first version, without a cost, or in another currency. A
-- cost without a currency is in that of the line. sold is the amount of an order line, returned that of a refunded one.
WITH moved AS (
  SELECT scope, segment, event_time, product_id, currency, prices_include_tax, scope || ' ' || order_id AS basket,
    quantity, line_total AS sold, 0::DECIMAL(38, 4) AS returned
  FROM order_lines
  WHERE product_id IS NOT NULL
  UNION ALL
  SELECT scope, segment, event_time, product_id, currency, prices_include_tax, NULL, 0, 0, amount
  FROM refund_lines
  WHERE product_id IS NOT NULL
),
firsts AS (
  SELECT scope, product_id, category, brand FROM catalogue_history
  QUALIFY row_number() OVER (PARTITION BY scope, product_id ORDER BY valid_from) = 1
)
SELECT moved.*,
  CASE WHEN version.product_id IS NULL THEN firsts.category ELSE version.category END AS category,
  CASE WHEN version.product_id IS NULL THEN firsts.brand ELSE version.brand END AS brand,
  CASE WHEN coalesce(version.currency, moved.currency) = moved.currency THEN version.cost END AS cost
FROM moved
ASOF LEFT JOIN catalogue_history AS version
  ON version.scope = moved.scope AND version.product_id = moved.product_id AND version.valid_from <= moved.event_time
LEFT JOIN firsts ON firsts.scope = moved.scope AND firsts.product_id = moved.product_id
