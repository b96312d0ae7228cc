-- seen_products: One row per visit, place and product of shown_products: was it clicked there?
--
-- The place is the search, recommendation or list. A product that is told again in the same place of a visit is one row, of the
-- first time, with its best position. was_clicked: the visit has a click on the product that attribution gives to this place. A
-- product without a place was clicked if attribution knows no source of the click either.
WITH clicked AS (
  SELECT DISTINCT scope, session_key, source, coalesce(search_key, recommendation_id, list_id, '') AS place, product_id,
    true AS was_clicked
  FROM attribution
  WHERE kind = 'click'
),
units AS (
  SELECT scope, session_key, source, coalesce(search_key, recommendation_id, list_id, '') AS place, product_id,
    min(event_time) AS event_time, min(date) AS date, min(position) AS position,
    arg_min(segment, (event_time, event_id)) AS segment, any_value(list_name) AS list_name
  FROM shown_products
  GROUP BY ALL
)
SELECT units.*, coalesce(was_clicked, false) AS was_clicked
FROM units LEFT JOIN clicked USING (scope, session_key, source, place, product_id)
