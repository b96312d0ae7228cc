-- phrase_sales: Products bought after a search for each phrase, gross and net, the largest revenue first.
-- group: search
-- row: a phrase, a product, a currency, and whether prices include tax, with an order line led by a search for the phrase
-- period: searches begun in it; orders count whenever they were placed
-- segment: of the search
-- param phrase TEXT: only this phrase, however it is written
-- param limit INTEGER 1000: most rows
-- columns: phrase, product_id, currency, prices_include_tax, orders, quantity, revenue, refunded, net_revenue
--   phrase: the phrase, in lower case with single blanks
--   product_id: the product
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; prices with and without tax are never added; NULL if the orders do not say
--   orders: different orders with a line of the product led by such a search
--   quantity: quantity on these lines
--   revenue: sum of quantity * unitPrice - discount of the lines; without the order's own discount and shipping
--   refunded: refunds of these lines and of whole orders, at any time
--   net_revenue: revenue - refunded
-- null: A phrase that led to no order has no row. product_id is NULL for lines without a product.
-- needs: Search, OrderCreated; best with searchId on the order lines.
-- source: As search_revenue.
WITH asked AS (
  SELECT scope, search_key, normal_phrase
  FROM distinct_searches
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
    AND ($phrase IS NULL OR normal_phrase = normal_phrase($phrase))
)
SELECT normal_phrase AS phrase, product_id, currency, prices_include_tax,
  count(DISTINCT scope || ' ' || order_id) AS orders,
  sum(quantity) AS quantity,
  sum(line_total) AS revenue,
  coalesce(sum(refunded), 0) AS refunded,
  sum(line_total) - coalesce(sum(refunded), 0) AS net_revenue
FROM attribution
JOIN asked USING (scope, search_key)
LEFT JOIN line_refunds USING (scope, order_id, line_number)
WHERE kind = 'order_line'
GROUP BY normal_phrase, product_id, currency, prices_include_tax
ORDER BY revenue DESC, phrase, product_id, currency, prices_include_tax
LIMIT $limit
