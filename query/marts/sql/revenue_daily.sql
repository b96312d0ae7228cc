-- revenue_daily: Orders and revenue, by day, segment and currency: sums that add up over days of one currency.
-- row: a UTC day, a segment and a currency with an order on it
-- columns:
--   date date: the UTC day the order was placed on
--   segment string: the segment of the order, which is that of the event received first
--   currency string: amounts of different currencies are never added
--   orders long: orders, each once however often it was sent
--   revenue decimal38: sum of total, what customers pay: tax and shipping included, discounts deducted
--   items decimal38: sum of the lines' quantities
--   goods_total decimal38: sum of the lines' quantity * unitPrice - discount
--   discount decimal38: discounts on orders and lines; NULL where no order tells one
--   tax decimal38: tax within the totals; NULL where no order tells it
--   shipping decimal38: shipping within the totals; NULL where no order tells it
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
