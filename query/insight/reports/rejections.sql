-- rejections: Rejected events by error code.
-- group: quality
-- row: a day and an error code
-- period: events rejected in it
-- segment: of the event
-- columns: date, code, events, keys, last_at
--   date: the day in the zone
--   code: the error code, explained in docs/errors.md
--   events: rejected events
--   keys: number of different instrumentation keys they came with
--   last_at: time of the last one
-- null: No value is NULL. A day without rejections has no row.
-- needs: Nothing.
-- source: Own definition.
SELECT local_day(received_at, $zone) AS date, code, count(*) AS events, count(DISTINCT key_id) AS keys, max(received_at) AS last_at
FROM quarantine
WHERE received_at >= $from AND received_at < $to AND ($segment IS NULL OR segment = $segment)
  AND date >= $scan_from AND date <= $scan_to
GROUP BY ALL
ORDER BY date, events DESC, code
