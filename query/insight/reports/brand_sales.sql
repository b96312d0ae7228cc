-- brand_sales: Revenue and margin of each brand, by the catalogue at the time of the order.
-- group: product
-- row: a brand, a currency, and whether prices include tax
-- period: orders placed in it, and refunds that happened in it
-- segment: of the order or the refund
-- param limit INTEGER 1000: most rows
-- columns: brand, currency, prices_include_tax, products, margin_metrics
--   brand: the brand
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; NULL if the orders do not say
--   products: different products ordered or refunded
-- null: brand is NULL for products without one, and for those that are not in the catalogue. Others as in category_sales.
-- needs: OrderCreated, and a catalogue with brand; cost for the margin.
-- source: Own definition.
SELECT brand, currency, prices_include_tax, count(DISTINCT scope || ' ' || product_id) AS products, {{margin_metrics}}
FROM product_moves
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY brand, currency, prices_include_tax
ORDER BY revenue DESC, brand, currency, prices_include_tax
LIMIT $limit
