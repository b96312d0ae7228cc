-- order_status: All orders by status, also those that no other report counts.
-- group: commercial
-- row: a currency, a state, a status, and whether the orders are tests
-- period: orders placed in it
-- segment: of the order, which is that of the event that counts
-- columns: currency, state, status, test, counts, orders, total, corrected, amounts_differ
--   currency: amounts of different currencies are never added
--   state: live, pending or cancelled, by order_state(status); cancelled too after OrderCancelled of the whole order
--   status: the status in the shop's own words
--   test: whether the orders are tests
--   counts: whether other reports count them: live and no test
--   orders: orders
--   total: sum of their totals
--   corrected: those with a correction
--   amounts_differ: those that were sent with different totals or currencies
-- null: status is NULL if the orders state none.
-- needs: OrderCreated; status and test, OrderCorrected and OrderCancelled where wanted.
-- source: Own definition, see the macro order_state.
SELECT currency, state, status, test, counts,
  count(*) AS orders,
  sum(total) AS total,
  count(*) FILTER (WHERE corrected_count > 0) AS corrected,
  count(*) FILTER (WHERE amounts_differ) AS amounts_differ
FROM all_orders
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY currency, state, status, test, counts
ORDER BY currency, counts DESC, orders DESC, state, status, test
