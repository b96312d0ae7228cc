-- events_daily: Number of events by day, segment and type, and how many are from bots.
-- row: a UTC day, a segment and an event type with an event on it
-- columns:
--   date date: the UTC day
--   segment string: the segment
--   type string: the event type
--   events long: events of people
--   bots long: events with the User-Agent of a bot, which no other mart counts
--   sessions long: number of different sessionIds among events
SELECT date, segment, type,
  count(*) FILTER (WHERE NOT is_bot) AS events,
  count(*) FILTER (WHERE is_bot) AS bots,
  count(DISTINCT scope || ' ' || session_id) FILTER (WHERE NOT is_bot) AS sessions
FROM events_with_bots
WHERE date >= $first AND date <= $last
GROUP BY ALL
