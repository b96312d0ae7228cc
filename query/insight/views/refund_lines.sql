-- refund_lines: One row per refunded or cancelled line, with its amount.
--
-- A whole order's refund has a row for each of its lines. A refund of an amount or of the rest of an order has none, so
-- the amounts here may be less than those of refunds. line_number is the line of the order; NULL if no line of it fits.
WITH parts AS (
  SELECT * EXCLUDE (lines, order_lines, amount, kind), kind AS refund_kind, unnest(lines) AS line
  FROM refunds
  WHERE lines IS NOT NULL
  UNION ALL
  SELECT * EXCLUDE (lines, order_lines, amount, kind), kind AS refund_kind,
    unnest(list_transform(order_lines, lambda line, place: {
      'product_id': line.product_id, 'variant_id': line.variant_id, 'name': line.name, 'kind': line.kind,
      'line_number': place::INTEGER, 'quantity': line.quantity, 'amount': line_share(line, NULL)
    })) AS line
  FROM refunds
  WHERE lines IS NULL AND whole
)
SELECT * EXCLUDE (line, whole), unnest(line)
FROM parts
