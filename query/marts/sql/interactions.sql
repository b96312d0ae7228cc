-- interactions: Clicks, cart adds and orders of each visitor and product, for recommenders. Only visitors who agreed to personalization count.
-- row: a scope, a visitor and a product. A visitor whose latest stated consent is a refusal has none
-- reads: interactions_daily, consents_daily, identity_map
-- columns:
--   scope string: the segment of the visitor's ids; * if the tenant's segments share them
--   visitor_id string: user:<user_id> if a consented link identifies the visitor, else anon:<anonymous_id>
--   anonymous_id string: the visitor; NULL for a customer, who may have several
--   user_id string: the customer; NULL if unknown
--   product_id string: the product
--   clicks long: clicks on it
--   cart_adds long: cart adds of it
--   orders long: orders with it
--   quantity_ordered decimal38: quantity ordered
--   first_at timestamp: time of the first of these
--   last_at timestamp: time of the last of these
WITH customers AS (SELECT scope, anonymous_id, user_id FROM identity_map WHERE is_current),
refused AS (
  SELECT scope, coalesce('user:' || customers.user_id, 'anon:' || anonymous_id, 'user:' || consents_daily.user_id) AS visitor_id
  FROM consents_daily LEFT JOIN customers USING (scope, anonymous_id)
  GROUP BY scope, visitor_id
  HAVING max(refused_at) >= coalesce(max(granted_at), TIMESTAMPTZ '-infinity')
),
known AS (
  SELECT interactions_daily.* EXCLUDE (anonymous_id, user_id),
    CASE WHEN customers.user_id IS NULL THEN anonymous_id END AS anonymous_id,
    coalesce(customers.user_id, CASE WHEN anonymous_id IS NULL THEN interactions_daily.user_id END) AS user_id
  FROM interactions_daily LEFT JOIN customers USING (scope, anonymous_id)
)
SELECT scope, coalesce('user:' || user_id, 'anon:' || anonymous_id) AS visitor_id, anonymous_id, user_id, product_id,
  sum(clicks) AS clicks, sum(cart_adds) AS cart_adds, sum(orders) AS orders, sum(quantity_ordered) AS quantity_ordered,
  min(first_at) AS first_at, max(last_at) AS last_at
FROM known
WHERE NOT EXISTS (
  FROM refused
  WHERE refused.scope = known.scope AND refused.visitor_id = coalesce('user:' || known.user_id, 'anon:' || known.anonymous_id)
)
GROUP BY ALL
ORDER BY scope, visitor_id, product_id
