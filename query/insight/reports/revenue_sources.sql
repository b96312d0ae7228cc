-- revenue_sources: Revenue, gross and net, by what led to it: search, a list, a recommendation, or nothing known.
-- group: commercial
-- row: a currency, whether prices include tax, a source and a list of it
-- period: orders placed in it, with refunds of their lines at any time
-- segment: of the order, which is that of the event that counts
-- columns: currency, prices_include_tax, source, list, order_lines, orders, quantity, revenue, refunded, net_revenue, share, given_share
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders; prices with and without tax are never added; NULL if the orders do not say
--   source: search, list, recommendation, or none if unknown
--   list: listId or recommendationId; NULL for search and none
--   order_lines: lines of goods led by it
--   orders: orders with such a line; an order with lines of several sources counts for each
--   quantity: items on the lines
--   revenue: sum of quantity * unitPrice - discount of the lines; without the order's own discount and shipping
--   refunded: refunds of these lines and of whole orders
--   net_revenue: revenue - refunded
--   share: revenue / revenue of all sources in the currency with the same prices_include_tax
--   given_share: part of the revenue whose line carries the source itself, not inferred from clicks and carts
-- null: Shares are NULL if the revenue they divide by is 0. A source that led to nothing has no row.
-- needs: OrderCreated; searchId, recommendationId or listId on its lines, or earlier clicks and cart adds with searchId, listId or recommendationId.
-- source: Attribution to the last touch, see the view attribution.
SELECT currency, prices_include_tax, source,
  CASE source WHEN 'list' THEN list_id WHEN 'recommendation' THEN recommendation_id END AS list,
  count(*) AS order_lines,
  count(DISTINCT scope || ' ' || order_id) AS orders,
  sum(quantity) AS quantity,
  sum(line_total) AS revenue,
  coalesce(sum(refunded), 0) AS refunded,
  sum(line_total) - coalesce(sum(refunded), 0) AS net_revenue,
  sum(line_total) / nullif(sum(sum(line_total)) OVER (PARTITION BY currency, prices_include_tax), 0) AS share,
  coalesce(sum(line_total) FILTER (WHERE method = 'given'), 0) / nullif(sum(line_total), 0) AS given_share
FROM attribution LEFT JOIN line_refunds USING (scope, order_id, line_number)
WHERE kind = 'order_line' AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY currency, prices_include_tax, source, list
ORDER BY currency, prices_include_tax, revenue DESC, source, list
