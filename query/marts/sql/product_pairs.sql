-- product_pairs: Products bought in the same order, or clicked in the same visit, at least twice.
-- row: a kind and a pair of products
-- reads: pairs_daily
-- columns:
--   kind string: order, or click
--   product_a string: one product, the smaller id of the two
--   product_b string: the other
--   together long: orders or visits with both
--   support double: orders or visits with both / all of them
--   confidence_a_to_b double: orders or visits with both / those with product_a
--   confidence_b_to_a double: orders or visits with both / those with product_b
--   lift double: support / (share with product_a * share with product_b); 1 means independent
WITH counted AS MATERIALIZED (SELECT kind, product_a, product_b, sum(baskets) AS count FROM pairs_daily GROUP BY ALL),
singles AS MATERIALIZED (
  SELECT kind, product_a AS product_id, count FROM counted WHERE product_a IS NOT NULL AND product_b IS NULL
),
totals AS MATERIALIZED (SELECT kind, count AS total FROM counted WHERE product_a IS NULL),
pairs AS MATERIALIZED (SELECT * FROM counted WHERE product_b IS NOT NULL AND count >= 2)
SELECT kind, pairs.product_a, pairs.product_b, pairs.count AS together,
  pairs.count / total AS support,
  pairs.count / a.count AS confidence_a_to_b,
  pairs.count / b.count AS confidence_b_to_a,
  pairs.count * total / (a.count * b.count) AS lift
FROM pairs
-- Outer joins keep their order. DuckDB would put inner ones so that all products meet all products of their kind first.
LEFT JOIN totals USING (kind)
LEFT JOIN singles AS a ON a.kind = pairs.kind AND a.product_id = pairs.product_a
LEFT JOIN singles AS b ON b.kind = pairs.kind AND b.product_id = pairs.product_b
ORDER BY kind, product_a, product_b
