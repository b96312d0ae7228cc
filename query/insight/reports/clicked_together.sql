-- clicked_together: Products clicked in the same visit.
-- group: personalization
-- row: a pair of products
-- period: clicks made in it
-- segment: of the click
-- param min_together INTEGER 2: fewest visits with both
-- param limit INTEGER 1000: most rows
-- columns: pair_metrics
-- null: No value is NULL. Visits with clicks on more than 100 different products are left out. They are seldom people.
-- needs: ProductClicked; sessionId tells visits best.
-- source: Support and confidence: R. Agrawal, T. Imieliński, A. Swami, SIGMOD 1993. Lift (interest): S. Brin, R. Motwani,
--   J. D. Ullman, S. Tsur, SIGMOD 1997.
WITH baskets AS (
  SELECT DISTINCT scope || ' ' || session_key AS basket, product_id
  FROM activity
  WHERE type = 'ProductClicked'
    AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
{{pair_metrics}}
