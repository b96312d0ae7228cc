-- sold_out: Products that are sold out now and were wanted in the period, the most wanted first.
-- group: product
-- row: a product whose stock is 0 or less in the newest version, with a click, cart add or order in the period
-- period: clicks, cart adds and orders in it; the stock is that of now
-- segment: of the event
-- param limit INTEGER 1000: most rows
-- columns: product_id, stock, sold_out_since, clicks, cart_adds, orders
--   product_id: the product
--   stock: pieces by the newest version
--   sold_out_since: time from which every version has a stock of 0 or less
--   clicks: clicks in the period
--   cart_adds: cart adds in the period
--   orders: orders with the product in the period
-- null: No value is NULL. A product without a stock in the catalogue has no row.
-- needs: A catalogue with stock; ProductClicked, ProductAddedToCart or OrderCreated.
-- source: Own definition.
WITH demand AS (
  {{product_demand}}
),
in_stock AS (
  SELECT scope, product_id, max(valid_to) AS until FROM catalogue_history
  WHERE removed OR stock IS NULL OR stock > 0
  GROUP BY ALL
),
empty AS (
  SELECT history.scope, history.product_id, min(history.valid_from) AS since
  FROM catalogue_history AS history LEFT JOIN in_stock USING (scope, product_id)
  WHERE in_stock.until IS NULL OR history.valid_from >= in_stock.until
  GROUP BY ALL
)
SELECT demand.product_id, any_value(catalogue.stock) AS stock, min(empty.since) AS sold_out_since,
  count(*) FILTER (WHERE kind = 'click') AS clicks,
  count(*) FILTER (WHERE kind = 'cart') AS cart_adds,
  count(*) FILTER (WHERE kind = 'order') AS orders
FROM demand
JOIN catalogue ON catalogue.scope = demand.scope AND catalogue.product_id = demand.product_id AND catalogue.stock <= 0
JOIN empty ON empty.scope = demand.scope AND empty.product_id = demand.product_id
GROUP BY demand.scope, demand.product_id
ORDER BY clicks + cart_adds + orders DESC, demand.product_id
LIMIT $limit
