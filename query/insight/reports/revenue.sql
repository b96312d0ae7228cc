-- revenue: Orders and revenue, gross and net, with discounts, tax and shipping, by currency.
-- group: commercial
-- row: a currency with an order or a refund
-- period: orders placed in it, and refunds that happened in it
-- segment: of the order, which is that of the event that counts, and of the refund
-- columns: currency, order_metrics
--   currency: amounts of different currencies are never added
-- null: discount, tax and shipping are NULL if no order of the currency states them. If some orders state a discount, the
--   others have none. tax_share and shipping_share cover only the orders that state them.
-- needs: OrderCreated; tax, shipping and discount where wanted; OrderRefunded and OrderCancelled.
-- source: Own definition.
WITH asked AS (
  SELECT * FROM orders
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
returned AS (
  SELECT currency, count(*) AS refunds, coalesce(sum(amount), 0) AS refunded
  FROM refunds
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  GROUP BY ALL
)
SELECT currency, {{order_metrics}}
FROM asked FULL JOIN returned USING (currency)
GROUP BY currency
ORDER BY orders DESC, currency
