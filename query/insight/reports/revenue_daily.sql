-- revenue_daily: Orders and revenue, gross and net, by day.
-- group: commercial
-- row: a day of the period and a currency with an order or a refund in the period; other days included
-- period: orders placed in it, and refunds that happened in it
-- segment: of the order, which is that of the event that counts, and of the refund
-- columns: date, currency, order_metrics
--   date: the day in the zone
--   currency: amounts of different currencies are never added
-- null: As in revenue. A day without orders has orders 0, revenue 0 and a NULL average. Without any order or refund there are no rows.
-- needs: As revenue.
-- source: Own definition.
WITH days AS (
  SELECT unnest(generate_series(
    local_day($from, $zone), local_day($to - INTERVAL 1 MICROSECOND, $zone), INTERVAL 1 DAY
  ))::DATE AS date
),
asked AS (
  SELECT * REPLACE (local_day(event_time, $zone) AS date) FROM orders
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
returned AS (
  SELECT local_day(event_time, $zone) AS date, currency, count(*) AS refunds, coalesce(sum(amount), 0) AS refunded
  FROM refunds
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  GROUP BY ALL
),
cells AS (
  SELECT date, currency
  FROM days CROSS JOIN (SELECT currency FROM asked UNION SELECT currency FROM returned)
)
SELECT date, currency, {{order_metrics}}
FROM cells LEFT JOIN asked USING (date, currency) LEFT JOIN returned USING (date, currency)
GROUP BY date, currency
ORDER BY date, currency
