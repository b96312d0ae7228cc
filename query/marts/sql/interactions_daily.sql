-- interactions_daily: Clicks, cart adds and orders by day, visitor and product. Only events with consent to personalization count.
-- row: a UTC day, a segment, a visitor by the ids of the events, and a product
-- around: 1
-- columns:
--   date date: the UTC day
--   segment string: the segment of the event
--   scope string: the segment of the ids; * if the tenant's segments share them
--   anonymous_id string: the visitor, if needed from another event of the visit
--   user_id string: the customer, if the event names one
--   product_id string: the product
--   clicks long: clicks on it
--   cart_adds long: cart adds of it
--   orders long: orders with it
--   quantity_ordered decimal38: quantity ordered
--   first_at timestamp: time of the first of these
--   last_at timestamp: time of the last of these
WITH agreed AS (
  SELECT date, segment, scope, session_id, anonymous_id, user_id, product_id, type, quantity, NULL::VARCHAR AS order_id, event_time
  FROM events
  WHERE type IN ('ProductClicked', 'ProductAddedToCart') AND consent_personalization
    AND date >= $first AND date <= $last
  UNION ALL
  SELECT date, segment, scope, session_id, anonymous_id, user_id, product_id, 'OrderCreated', quantity, order_id, event_time
  FROM order_lines
  WHERE consent_personalization AND product_id IS NOT NULL AND date >= $first AND date <= $last
)
SELECT date, segment, agreed.scope, coalesce(agreed.anonymous_id, session_visitors.anonymous_id) AS anonymous_id, user_id, product_id,
  count(*) FILTER (WHERE type = 'ProductClicked') AS clicks,
  count(*) FILTER (WHERE type = 'ProductAddedToCart') AS cart_adds,
  count(DISTINCT agreed.scope || ' ' || order_id) AS orders,
  coalesce(sum(quantity) FILTER (WHERE type = 'OrderCreated'), 0) AS quantity_ordered,
  min(event_time) AS first_at,
  max(event_time) AS last_at
FROM agreed
LEFT JOIN session_visitors
  ON session_visitors.scope = agreed.scope
  AND session_visitors.session_id = CASE WHEN agreed.anonymous_id IS NULL THEN agreed.session_id END
WHERE coalesce(agreed.anonymous_id, session_visitors.anonymous_id, user_id) IS NOT NULL
GROUP BY ALL
