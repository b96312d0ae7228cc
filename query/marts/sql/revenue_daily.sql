-- revenue_daily: Orders and revenue by day, segment and currency, gross and net. The sums of one currency add up over days.
-- row: a UTC day, a segment and a currency with an order or a refund on it
-- columns:
--   date date: the UTC day the order was placed or the refund happened on
--   segment string: the segment of the order, from the event that counts, or of the refund
--   currency string: amounts of different currencies are never added
--   orders long: orders that count; an order that is sent again counts once, a test, pending or cancelled one not at all
--   revenue decimal38: gross: sum of total, the amount customers pay: with tax and shipping, less discounts
--   refunds long: refunds and cancellations of lines that happened on the day
--   refunded decimal38: sum of their amounts
--   net_revenue decimal38: revenue - refunded
--   items decimal38: sum of the quantities of goods
--   goods_total decimal38: sum of quantity * unitPrice - discount of goods, of orders whose prices include tax or do not say
--   goods_total_without_tax decimal38: the same of orders with pricesIncludeTax = false
--   discount decimal38: discounts on orders and lines, each once; NULL if no order states one
--   tax decimal38: tax within the totals; NULL if no order states it
--   shipping decimal38: shipping within the totals; NULL if no order states it
WITH sold AS (
  SELECT date, segment, currency,
    count(*) AS orders,
    sum(total) AS revenue,
    coalesce(sum(items), 0) AS items,
    coalesce(sum(goods_total) FILTER (WHERE prices_include_tax IS NOT FALSE), 0) AS goods_total,
    coalesce(sum(goods_total) FILTER (WHERE NOT prices_include_tax), 0) AS goods_total_without_tax,
    sum(all_discounts) AS discount,
    sum(tax) AS tax,
    sum(shipping) AS shipping
  FROM orders
  WHERE date >= $first AND date <= $last
  GROUP BY ALL
),
returned AS (
  SELECT date, segment, currency, count(*) AS refunds, coalesce(sum(amount), 0) AS refunded
  FROM refunds
  WHERE date >= $first AND date <= $last
  GROUP BY ALL
)
SELECT date, segment, currency,
  coalesce(orders, 0) AS orders,
  coalesce(revenue, 0) AS revenue,
  coalesce(refunds, 0) AS refunds,
  coalesce(refunded, 0) AS refunded,
  coalesce(revenue, 0) - coalesce(refunded, 0) AS net_revenue,
  coalesce(items, 0) AS items,
  coalesce(goods_total, 0) AS goods_total,
  coalesce(goods_total_without_tax, 0) AS goods_total_without_tax,
  discount, tax, shipping
FROM sold FULL JOIN returned USING (date, segment, currency)
