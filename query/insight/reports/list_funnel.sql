-- list_funnel: Click to cart to order, by place of the click: a list, a recommendation, search or elsewhere.
-- group: product
-- row: a source, a list of it and a product clicked there
-- period: clicks made in it, with their cart adds and orders, also after its end
-- segment: of the click
-- param limit INTEGER 1000: most rows
-- columns: source, list, product_id, clicks, average_position, funnel_metrics
--   source: search, list, recommendation, or none if unknown
--   list: listId or recommendationId; NULL for search and none
--   product_id: the product
--   clicks: clicks on it there
--   average_position: mean position of the clicks that have one
-- null: As in product_funnel. average_position is NULL if no click has a position.
-- needs: ProductClicked with listId, recommendationId or searchId; ProductAddedToCart, OrderCreated.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH units AS (
  SELECT source, CASE source WHEN 'list' THEN list_id WHEN 'recommendation' THEN recommendation_id END AS list,
    product_id, scope, session_key,
    count(*) AS clicks, sum(position) AS positions, count(position) AS positioned,
    bool_or(cart_adds > 0) AS carted, bool_or(order_lines > 0) AS bought
  FROM click_outcomes
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  GROUP BY ALL
)
SELECT source, list, product_id, sum(clicks)::BIGINT AS clicks,
  sum(positions) / nullif(sum(positioned), 0) AS average_position, {{funnel_metrics}}
FROM units
GROUP BY source, list, product_id
ORDER BY visits DESC, source, list, product_id
LIMIT $limit
