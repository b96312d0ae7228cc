-- margin_metrics: The measures of a set of order lines and refunded lines, over product_moves.
--
-- columns:
--   orders: orders with such a line
--   quantity: quantity ordered
--   revenue: sum of quantity * unitPrice - discount of the lines; without the order's own discount and shipping
--   refunded: refunds of the lines and of whole orders; refunds that state only an amount belong to no product
--   net_revenue: revenue - refunded
--   cost: sum of quantity * cost at the time of the order, over lines whose cost is known; what comes back still costs
--   margin: net_revenue - cost, both only of lines whose cost is known; with the tax in prices that include it
--   margin_rate: margin / the net revenue that it is of
--   cost_share: revenue of lines whose cost is known / revenue
count(DISTINCT basket) AS orders,
sum(quantity) AS quantity,
sum(sold) AS revenue,
sum(returned) AS refunded,
sum(sold) - sum(returned) AS net_revenue,
sum(CAST(CAST(quantity AS DECIMAL(38, 4)) * cost AS DECIMAL(38, 4))) AS cost,
sum(sold - returned - CAST(CAST(quantity AS DECIMAL(38, 4)) * cost AS DECIMAL(38, 4))) FILTER (WHERE cost IS NOT NULL) AS margin,
sum(sold - returned - CAST(CAST(quantity AS DECIMAL(38, 4)) * cost AS DECIMAL(38, 4))) FILTER (WHERE cost IS NOT NULL)
  / nullif(sum(sold - returned) FILTER (WHERE cost IS NOT NULL), 0) AS margin_rate,
coalesce(sum(sold) FILTER (WHERE cost IS NOT NULL), 0) / nullif(sum(sold), 0) AS cost_share
