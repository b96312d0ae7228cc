-- interaction_counts: Clicks, cart adds and orders of a visitor and product, over touches.
--
-- columns:
--   scope: the segment of the visitor's ids; * if the tenant's segments share them
--   visitor_id: user:<user_id> if a consented link identifies the visitor, else anon:<anonymous_id>
--   product_id: the product
--   clicks: clicks on it
--   cart_adds: cart adds of it
--   orders: orders with it
--   quantity_ordered: quantity ordered
--   first_at: time of the first of these
--   last_at: time of the last of these
scope, visitor_id, product_id,
count(*) FILTER (WHERE type = 'ProductClicked') AS clicks,
count(*) FILTER (WHERE type = 'ProductAddedToCart') AS cart_adds,
count(DISTINCT order_id) AS orders,
coalesce(sum(quantity) FILTER (WHERE type = 'OrderCreated'), 0) AS quantity_ordered,
min(event_time) AS first_at,
max(event_time) AS last_at
