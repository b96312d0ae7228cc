-- pair_metrics: Association measures of every pair of products, over baskets(basket, product_id), each pair of them once.
--
-- columns:
--   product_a: one product, the smaller id of the two
--   product_b: the other
--   together: baskets with both
--   support: baskets with both / all baskets
--   confidence_a_to_b: baskets with both / baskets with product_a
--   confidence_b_to_a: baskets with both / baskets with product_b
--   lift: support / (share of baskets with product_a * share with product_b); 1 means independent
sizes AS (SELECT basket, count(*) AS products FROM baskets GROUP BY basket),
kept AS (SELECT baskets.* FROM baskets JOIN sizes USING (basket) WHERE products <= 100),
counted AS (SELECT count(DISTINCT basket) AS total FROM kept),
singles AS (SELECT product_id, count(*) AS count FROM kept GROUP BY product_id),
pairs AS (
  SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS together
  FROM kept AS a JOIN kept AS b ON a.basket = b.basket AND a.product_id < b.product_id
  GROUP BY ALL
  HAVING count(*) >= $min_together
)
SELECT product_a, product_b, together,
  together / total AS support,
  together / a.count AS confidence_a_to_b,
  together / b.count AS confidence_b_to_a,
  together * total / (a.count * b.count) AS lift
FROM pairs
JOIN singles AS a ON a.product_id = product_a
JOIN singles AS b ON b.product_id = product_b
CROSS JOIN counted
ORDER BY together DESC, lift DESC, product_a, product_b
LIMIT $limit
