-- order_lines: One row per line of each order that counts, numbered from 1.
--
-- line_total is quantity * unit_price - discount, rounded to four decimals. It excludes the order's own discount and shipping.
-- Lines of fees, tips and custom items have no product_id. is_goods(kind) tells goods from shipping, fees and tips.
-- properties is what the shop keeps with the order, line_properties what it keeps with the line; both are JSON text.
WITH lines AS (
  SELECT * EXCLUDE (lines, discount, items, line_discount, goods_total, all_discounts, coupon_codes, properties),
    properties AS order_properties,
    unnest(range(1, len(lines) + 1))::INTEGER AS line_number,
    unnest(lines) AS line
  FROM orders
),
parts AS (SELECT * EXCLUDE (line), unnest(line), line_amount(line) AS line_total FROM lines)
SELECT * EXCLUDE (order_properties, properties), order_properties AS properties, properties AS line_properties
FROM parts
