-- search_revenue: Revenue led by each phrase, gross and net, the largest first.
-- group: search
-- row: a phrase, a currency, and whether prices include tax, with an order line led by a search for the phrase
-- period: searches begun in it; orders count whenever they were placed
-- segment: of the search
-- param phrase TEXT: only searches for this phrase, however it is written
-- param limit INTEGER 1000: most rows
-- columns: phrase, currency, prices_include_tax, searches, orders, order_lines, quantity, revenue, refunded, net_revenue, revenue_per_search, inferred_share
--   phrase: the phrase, in lower case with single blanks
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; prices with and without tax are never added; NULL if the orders do not say
--   searches: all searches for the phrase
--   orders: different orders with a line led by such a search
--   order_lines: such lines
--   quantity: quantity on them
--   revenue: sum of quantity * unitPrice - discount of the lines; without the order's own discount and shipping
--   refunded: refunds of these lines and of whole orders, at any time
--   net_revenue: revenue - refunded
--   revenue_per_search: revenue / searches
--   inferred_share: part of the revenue attributed by a rule instead of a searchId on the line
-- null: A phrase that led to no order has no row. inferred_share is NULL if the revenue is 0.
-- needs: Search, OrderCreated; best with searchId on the order lines.
-- source: Attribution to the last search, see the view attribution.
WITH asked AS (
  SELECT scope, search_key, normal_phrase, count(*) OVER (PARTITION BY normal_phrase) AS searches
  FROM distinct_searches
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
    AND ($phrase IS NULL OR normal_phrase = normal_phrase($phrase))
)
SELECT normal_phrase AS phrase, currency, prices_include_tax,
  any_value(searches) AS searches,
  count(DISTINCT scope || ' ' || order_id) AS orders,
  count(*) AS order_lines,
  sum(quantity) AS quantity,
  sum(line_total) AS revenue,
  coalesce(sum(refunded), 0) AS refunded,
  sum(line_total) - coalesce(sum(refunded), 0) AS net_revenue,
  sum(line_total) / any_value(searches) AS revenue_per_search,
  coalesce(sum(line_total) FILTER (WHERE method = 'inferred'), 0) / nullif(sum(line_total), 0) AS inferred_share
FROM attribution
JOIN asked USING (scope, search_key)
LEFT JOIN line_refunds USING (scope, order_id, line_number)
WHERE kind = 'order_line'
GROUP BY normal_phrase, currency, prices_include_tax
ORDER BY revenue DESC, phrase, currency, prices_include_tax
LIMIT $limit
