-- category_sales: Revenue and margin of each category, by the catalogue at the time of the order.
-- group: product
-- row: a category, a currency, and whether prices include tax
-- period: orders placed in it, and refunds that happened in it
-- segment: of the order or the refund
-- param level INTEGER 1: levels of the path that make a category; a shorter path is a category of its own
-- param limit INTEGER 1000: most rows
-- columns: category, currency, prices_include_tax, products, margin_metrics
--   category: the path from the top, such as Shoes > Boots
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; NULL if the orders do not say
--   products: different products ordered or refunded
-- null: category is NULL for products without one, and for those that are not in the catalogue. cost, margin and margin_rate are
--   NULL if no cost is known. margin_rate and cost_share are NULL if the revenue they divide by is 0.
-- needs: OrderCreated, and a catalogue with category; cost for the margin.
-- source: Own definition.
SELECT array_to_string(category[1:$level], ' > ') AS category, currency, prices_include_tax,
  count(DISTINCT scope || ' ' || product_id) AS products, {{margin_metrics}}
FROM product_moves
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY array_to_string(category[1:$level], ' > '), currency, prices_include_tax
ORDER BY revenue DESC, category, currency, prices_include_tax
LIMIT $limit
