-- shown_products: One row per product of each ProductsShown event: what was in front of a visitor.
--
-- The visit and the visitor are those of activity. source is search, recommendation, list or none, in this order if an event
-- names several. position counts across pages from 1; it is NULL if the sender did not tell. A product that is told again, after
-- "back" or a reload, has a row again.
SELECT event_id, event_time, date, segment, scope, session_key, visitor_id,
  CASE WHEN search_id IS NOT NULL THEN 'search'
    WHEN recommendation_id IS NOT NULL THEN 'recommendation'
    WHEN list_id IS NOT NULL THEN 'list'
    ELSE 'none' END AS source,
  search_id AS search_key, list_id, list_name, recommendation_id,
  product.product_id, product.variant_id, product.position
FROM (SELECT *, unnest(products) AS product FROM activity WHERE type = 'ProductsShown')
