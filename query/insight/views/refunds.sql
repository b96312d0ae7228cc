-- refunds: One row per refund, and per cancellation of single lines: what an order lost again.
--
-- It counts at the time it happened. Refunds of orders that do not count (see all_orders) are left out, because their money
-- was never revenue. A refund of an order that is not known counts. Of events with one refund_id the first received counts.
--
-- - kind: refund, or cancellation of lines.
-- - amount: the event's amount, else the sum of its lines, else what is left of the order's total. A line without an amount
--   has its share of the order's line. NULL if an unknown order's refund states none.
-- - currency: the event's, else the order's.
-- - whole: whether all of a known order is refunded at once.
-- - order_time, prices_include_tax, order_lines: of the order; NULL if it is not known.
WITH told AS (
  SELECT scope, order_id, refund_id, type, event_id, event_time, received_at, date, segment, currency, amount, reason, lines
  FROM events_with_bots
  WHERE type = 'OrderRefunded' OR (type = 'OrderCancelled' AND lines IS NOT NULL)
  QUALIFY row_number() OVER (
    PARTITION BY scope, order_id, type, coalesce(refund_id, event_id) ORDER BY received_at, event_time, event_id
  ) = 1
),
joined AS (
  SELECT told.* EXCLUDE (type, currency, lines),
    CASE type WHEN 'OrderRefunded' THEN 'refund' ELSE 'cancellation' END AS kind,
    coalesce(told.currency, all_orders.currency) AS currency,
    all_orders.event_time AS order_time, all_orders.total, all_orders.prices_include_tax, all_orders.lines AS order_lines,
    list_transform(told.lines, lambda returned: {
      'product_id': returned.product_id, 'variant_id': returned.variant_id, 'name': returned.name, 'kind': returned.kind,
      'quantity': returned.quantity, 'amount': returned.amount,
      'place': list_filter(range(1, len(all_orders.lines) + 1), lambda place: is_line(all_orders.lines[place], returned))[1]
    }) AS placed
  FROM told LEFT JOIN all_orders USING (scope, order_id)
  WHERE all_orders.counts IS NOT FALSE
),
priced AS (
  SELECT * EXCLUDE (placed),
    list_transform(placed, lambda returned: {
      'product_id': returned.product_id, 'variant_id': returned.variant_id, 'name': returned.name, 'kind': returned.kind,
      'line_number': returned.place::INTEGER,
      'quantity': coalesce(returned.quantity, order_lines[returned.place].quantity),
      'amount': coalesce(returned.amount::DECIMAL(38, 4), line_share(order_lines[returned.place], returned.quantity))
    }) AS lines
  FROM joined
),
stated AS (
  SELECT *,
    coalesce(amount::DECIMAL(38, 4), list_sum(list_transform(lines, lambda line: line.amount))::DECIMAL(38, 4)) AS said
  FROM priced
),
running AS (
  SELECT *,
    coalesce(sum(said) OVER before, 0) AS said_before,
    count(*) FILTER (WHERE said IS NULL) OVER before AS wholes_before
  FROM stated
  WINDOW before AS (
    PARTITION BY scope, order_id ORDER BY event_time, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
)
SELECT scope, order_id, refund_id, kind, event_id, event_time, date, segment, currency,
  CASE WHEN said IS NOT NULL THEN said
    WHEN wholes_before > 0 THEN 0
    ELSE greatest(total - said_before, 0) END::DECIMAL(38, 4) AS amount,
  reason, lines,
  coalesce(lines IS NULL AND said_before = 0 AND wholes_before = 0 AND (said IS NULL OR said >= total), false) AS whole,
  order_time, prices_include_tax, order_lines
FROM running
