-- product_impressions: Impressions of each product and the share of them that was clicked.
-- group: product
-- row: a product that was shown
-- period: impressions of it, by their first time, with their clicks, also after its end
-- segment: of the impression
-- param limit INTEGER 1000: most rows
-- columns: product_id, impression_metrics
--   product_id: the product
-- null: The clicks are NULL if the shop sends no ProductClicked around the period, else 0. average_position is NULL if no
--   impression has a position. A product that was never shown has no row.
-- needs: ProductsShown, ProductClicked; sessionId tells visits best.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH seen AS (
  SELECT product_id, position, was_clicked FROM seen_products
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
)
SELECT product_id, {{impression_metrics}}
FROM seen
GROUP BY product_id
ORDER BY shown DESC, product_id
LIMIT $limit
