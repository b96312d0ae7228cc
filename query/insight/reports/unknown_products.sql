-- unknown_products: Products of events that are not in the catalogue, the most frequent first.
-- group: product
-- row: a product with a click, cart add or order in the period, and without a version in the catalogue now
-- period: clicks, cart adds and orders in it; the catalogue is that of now
-- segment: of the event
-- param limit INTEGER 1000: most rows
-- columns: product_id, removed, clicks, cart_adds, orders, last_at
--   product_id: the product
--   removed: whether it was in the catalogue before
--   clicks: clicks in the period
--   cart_adds: cart adds in the period
--   orders: orders with the product in the period
--   last_at: time of the last of these
-- null: No value is NULL. Without a catalogue of the events' segment there are no rows.
-- needs: A catalogue; ProductClicked, ProductAddedToCart or OrderCreated.
-- source: Own definition.
WITH demand AS (
  {{product_demand}}
),
known AS (
  SELECT scope, product_id, bool_or(valid_to IS NULL AND NOT removed) AS present FROM catalogue_history GROUP BY ALL
)
SELECT demand.product_id, known.product_id IS NOT NULL AS removed,
  count(*) FILTER (WHERE kind = 'click') AS clicks,
  count(*) FILTER (WHERE kind = 'cart') AS cart_adds,
  count(*) FILTER (WHERE kind = 'order') AS orders,
  max(event_time) AS last_at
FROM demand
LEFT JOIN known ON known.scope = demand.scope AND known.product_id = demand.product_id
WHERE known.present IS NOT TRUE AND demand.scope IN (SELECT scope FROM known)
GROUP BY demand.scope, demand.product_id, known.product_id
ORDER BY count(*) DESC, demand.product_id
LIMIT $limit
