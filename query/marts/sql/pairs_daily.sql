-- pairs_daily: Number of orders and visits with two products, with one of them, or in all, by day and segment.
-- row: a UTC day, a segment, a kind, and a pair, a product or neither
-- around: 1
-- columns:
--   date date: the UTC day
--   segment string: the segment of the order or click
--   kind string: order, or click: the products clicked in a visit on that day
--   product_a string: one product, the smaller id of the two; NULL counts all orders or visits
--   product_b string: the other; NULL counts those with product_a
--   baskets long: orders or visits; those of more than 100 different products are left out
WITH baskets AS (
  SELECT DISTINCT 'order' AS kind, date, segment, scope || ' ' || order_id AS basket, product_id FROM order_lines
  WHERE product_id IS NOT NULL AND date >= $first AND date <= $last
  UNION ALL
  SELECT DISTINCT 'click' AS kind, date, segment, scope || ' ' || session_key AS basket, product_id FROM activity
  WHERE type = 'ProductClicked' AND date >= $first AND date <= $last
),
sizes AS (SELECT kind, date, segment, basket FROM baskets GROUP BY ALL HAVING count(*) <= 100),
kept AS MATERIALIZED (SELECT baskets.* FROM baskets SEMI JOIN sizes USING (kind, date, segment, basket))
SELECT date, segment, kind, NULL AS product_a, NULL AS product_b, count(DISTINCT basket) AS baskets
FROM kept GROUP BY ALL
UNION ALL
SELECT date, segment, kind, product_id, NULL, count(*) FROM kept GROUP BY ALL
UNION ALL
SELECT a.date, a.segment, a.kind, a.product_id, b.product_id, count(*)
FROM kept AS a JOIN kept AS b
  ON a.kind = b.kind AND a.date = b.date AND a.segment = b.segment AND a.basket = b.basket AND a.product_id < b.product_id
GROUP BY ALL
