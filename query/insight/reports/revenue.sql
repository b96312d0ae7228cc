-- revenue: Orders and revenue with discounts, tax and shipping, by currency.
-- group: commercial
-- row: a currency with an order
-- period: orders placed in it
-- segment: of the order, which is that of the event received first
-- columns: currency, order_metrics
--   currency: amounts of different currencies are never added
-- null: discount, tax and shipping are NULL if no order of the currency states them. If some orders state a discount, the
--   others have none. tax_share and shipping_share cover only the orders that state them.
-- needs: OrderCreated; tax, shipping and discount where wanted.
-- source: Own definition.
SELECT currency, {{order_metrics}}
FROM orders
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY currency
ORDER BY orders DESC, currency
