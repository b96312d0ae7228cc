-- revenue_daily: Orders and revenue by day, segment and currency. The sums of one currency add up over days.
-- row: a UTC day, a segment and a currency with an order on it
-- columns:
--   date date: the UTC day the order was placed on
--   segment string: the segment of the order, from the event received first
--   currency string: amounts of different currencies are never added
--   orders long: orders; an order that is sent again counts once
--   revenue decimal38: sum of total, the amount customers pay: with tax and shipping, less discounts
--   items decimal38: sum of the lines' quantities
--   goods_total decimal38: sum of the lines' quantity * unitPrice - discount
--   discount decimal38: discounts on orders and lines; NULL if no order states one
--   tax decimal38: tax within the totals; NULL if no order states it
--   shipping decimal38: shipping within the totals; NULL if no order states it
SELECT date, segment, currency,
  count(*) AS orders,
  sum(total) AS revenue,
  coalesce(sum(items), 0) AS items,
  coalesce(sum(goods_total), 0) AS goods_total,
  CASE WHEN count(discount) + count(line_discount) > 0
    THEN coalesce(sum(discount), 0) + coalesce(sum(line_discount), 0) END AS discount,
  sum(tax) AS tax,
  sum(shipping) AS shipping
FROM orders
WHERE date >= $first AND date <= $last
GROUP BY ALL
