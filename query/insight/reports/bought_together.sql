-- bought_together: Products ordered in the same order.
-- group: personalization
-- row: a pair of products
-- period: orders placed in it
-- segment: of the order
-- param min_together INTEGER 2: fewest orders with both
-- param limit INTEGER 1000: most rows
-- columns: pair_metrics
-- null: No value is NULL. Orders of more than 100 different products are left out. They are resellers or faults, and
--   would pair nearly everything.
-- needs: OrderCreated.
-- source: Support and confidence: R. Agrawal, T. Imieliński, A. Swami, SIGMOD 1993. Lift (interest): S. Brin, R. Motwani,
--   J. D. Ullman, S. Tsur, SIGMOD 1997.
WITH baskets AS (
  SELECT DISTINCT scope || ' ' || order_id AS basket, product_id
  FROM order_lines
  WHERE product_id IS NOT NULL
    AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
{{pair_metrics}}
