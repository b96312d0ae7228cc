-- order_lines: One row per line of each order, numbered from 1.
--
-- line_total is quantity * unit_price - discount, rounded to four decimals. It excludes the order's own discount and shipping.
WITH lines AS (
  SELECT * EXCLUDE (lines, discount, items, line_discount, goods_total, coupon_codes),
    unnest(range(1, len(lines) + 1))::INTEGER AS line_number,
    unnest(lines) AS line
  FROM orders
)
SELECT * EXCLUDE (line), unnest(line),
  CAST(CAST(line.quantity AS DECIMAL(38, 4)) * line.unit_price AS DECIMAL(38, 4)) - coalesce(line.discount, 0) AS line_total
FROM lines
