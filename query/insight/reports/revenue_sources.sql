-- revenue_sources: Revenue by what led to it: search, a list, a recommendation, or nothing known.
-- group: commercial
-- row: a currency, a source and a list of it
-- period: orders placed in it
-- segment: of the order, which is that of the event received first
-- columns: currency, source, list, order_lines, orders, quantity, revenue, share, given_share
--   currency: amounts of different currencies are never added
--   source: search, list, recommendation, or none if unknown
--   list: listId or recommendationId; NULL for search and none
--   order_lines: lines led by it
--   orders: orders with such a line; an order with lines of several sources counts for each
--   quantity: items on the lines
--   revenue: sum of quantity * unitPrice - discount of the lines; without the order's own discount and shipping
--   share: revenue / revenue of all sources in the currency
--   given_share: part of the revenue whose line carries the searchId itself, not inferred from clicks and carts
-- null: Shares are NULL if the revenue they divide by is 0. A source that led to nothing has no row.
-- needs: OrderCreated; searchId on its lines, or earlier clicks and cart adds with searchId, listId or recommendationId.
-- source: Attribution to the last touch, see the view attribution.
SELECT currency, source,
  CASE source WHEN 'list' THEN list_id WHEN 'recommendation' THEN recommendation_id END AS list,
  count(*) AS order_lines,
  count(DISTINCT order_id) AS orders,
  sum(quantity) AS quantity,
  sum(line_total) AS revenue,
  sum(line_total) / nullif(sum(sum(line_total)) OVER (PARTITION BY currency), 0) AS share,
  coalesce(sum(line_total) FILTER (WHERE method = 'given'), 0) / nullif(sum(line_total), 0) AS given_share
FROM attribution
WHERE kind = 'order_line' AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY currency, source, list
ORDER BY currency, revenue DESC, source, list
