-- product_margin: Margin of each product, with the cost at the time of each order.
-- group: product
-- row: a product, a currency, and whether prices include tax
-- period: orders placed in it, and refunds that happened in it
-- segment: of the order or the refund
-- param limit INTEGER 1000: most rows
-- columns: product_id, currency, prices_include_tax, margin_metrics
--   product_id: the product
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; NULL if the orders do not say
-- null: As in category_sales.
-- needs: OrderCreated, and a catalogue with cost.
-- source: Own definition.
SELECT product_id, currency, prices_include_tax, {{margin_metrics}}
FROM product_moves
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY product_id, currency, prices_include_tax
ORDER BY margin DESC NULLS LAST, product_id, currency, prices_include_tax
LIMIT $limit
