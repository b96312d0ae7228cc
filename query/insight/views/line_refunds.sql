-- line_refunds: One row per order line with refunds: their sum so far.
SELECT scope, order_id, line_number, sum(amount) AS refunded
FROM refund_lines
WHERE line_number IS NOT NULL
GROUP BY scope, order_id, line_number
