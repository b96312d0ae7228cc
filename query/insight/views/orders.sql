-- orders: The orders that count: one row per order that is live and no test (see all_orders).
SELECT * EXCLUDE (counts, cancelled_at)
FROM all_orders
WHERE counts
