-- order_metrics: The measures of a set of orders of one currency, over orders and the refunds(refunds, refunded) beside them.
--
-- columns:
--   orders: orders that count; an order that is sent again counts once, a test, pending or cancelled one not at all
--   revenue: gross: sum of total, the amount customers pay: with tax and shipping, less discounts
--   refunds: refunds and cancellations of lines that happened in the period, whenever their orders were placed
--   refunded: sum of their amounts
--   net_revenue: revenue - refunded
--   average_order_value: revenue / orders
--   items: sum of the quantities of goods
--   items_per_order: items / orders
--   goods_total: sum of quantity * unitPrice - discount of goods, of orders whose prices include tax or do not say
--   goods_total_without_tax: the same of orders with pricesIncludeTax = false
--   discount: discounts on orders and lines, each once
--   discount_share: discount / (goods before line discounts)
--   tax: tax within the totals
--   tax_share: tax / total, of the orders that state their tax
--   shipping: shipping within the totals
--   shipping_share: shipping / total, of the orders that state their shipping
count(order_id) AS orders,
coalesce(sum(total), 0) AS revenue,
coalesce(any_value(refunds), 0) AS refunds,
coalesce(any_value(refunded), 0) AS refunded,
coalesce(sum(total), 0) - coalesce(any_value(refunded), 0) AS net_revenue,
sum(total) / nullif(count(order_id), 0) AS average_order_value,
coalesce(sum(items), 0) AS items,
sum(items) / nullif(count(order_id), 0) AS items_per_order,
coalesce(sum(goods_total) FILTER (WHERE prices_include_tax IS NOT FALSE), 0) AS goods_total,
coalesce(sum(goods_total) FILTER (WHERE NOT prices_include_tax), 0) AS goods_total_without_tax,
sum(all_discounts) AS discount,
sum(all_discounts) / nullif(sum(goods_total) + coalesce(sum(line_discount), 0), 0) AS discount_share,
sum(tax) AS tax,
sum(tax) / nullif(sum(total) FILTER (WHERE tax IS NOT NULL), 0) AS tax_share,
sum(shipping) AS shipping,
sum(shipping) / nullif(sum(total) FILTER (WHERE shipping IS NOT NULL), 0) AS shipping_share
