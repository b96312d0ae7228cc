-- order_metrics: The measures of a set of orders of one currency, over orders.
--
-- columns:
--   orders: orders; an order that is sent again counts once
--   revenue: sum of total, the amount customers pay: with tax and shipping, less discounts
--   average_order_value: revenue / orders
--   items: sum of the lines' quantities
--   items_per_order: items / orders
--   goods_total: sum of the lines' quantity * unitPrice - discount
--   discount: discounts on orders and lines
--   discount_share: discount / (goods_total before line discounts)
--   tax: tax within the totals
--   tax_share: tax / total, of the orders that state their tax
--   shipping: shipping within the totals
--   shipping_share: shipping / total, of the orders that state their shipping
count(order_id) AS orders,
coalesce(sum(total), 0) AS revenue,
sum(total) / nullif(count(order_id), 0) AS average_order_value,
coalesce(sum(items), 0) AS items,
sum(items) / nullif(count(order_id), 0) AS items_per_order,
coalesce(sum(goods_total), 0) AS goods_total,
CASE WHEN count(discount) + count(line_discount) > 0 THEN coalesce(sum(discount), 0) + coalesce(sum(line_discount), 0) END
  AS discount,
CASE WHEN count(discount) + count(line_discount) > 0 THEN
  (coalesce(sum(discount), 0) + coalesce(sum(line_discount), 0)) / nullif(sum(goods_total) + coalesce(sum(line_discount), 0), 0)
END AS discount_share,
sum(tax) AS tax,
sum(tax) / nullif(sum(total) FILTER (WHERE tax IS NOT NULL), 0) AS tax_share,
sum(shipping) AS shipping,
sum(shipping) / nullif(sum(total) FILTER (WHERE shipping IS NOT NULL), 0) AS shipping_share
