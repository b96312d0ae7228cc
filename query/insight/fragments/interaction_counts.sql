-- interaction_counts: What a visitor did with a product, over touches.
--
-- columns:
--   visitor_id: user:<user_id> where the visitor is known by a consented link, else anon:<anonymous_id>
--   product_id: the product
--   clicks: clicks on it
--   cart_adds: how often it was put in the cart
--   orders: orders with it
--   quantity_ordered: how many were ordered
--   first_at: the first of these
--   last_at: the last of these
visitor_id, product_id,
count(*) FILTER (WHERE type = 'ProductClicked') AS clicks,
count(*) FILTER (WHERE type = 'ProductAddedToCart') AS cart_adds,
count(DISTINCT order_id) AS orders,
coalesce(sum(quantity) FILTER (WHERE type = 'OrderCreated'), 0) AS quantity_ordered,
min(event_time) AS first_at,
max(event_time) AS last_at
