-- events_daily: Number of events by day and type, and how many are from bots.
-- group: quality
-- row: a day and an event type with an event on it
-- period: events that happened in it
-- segment: of the event
-- columns: date, type, events, bots, sessions
--   date: the day in the zone
--   type: the event type
--   events: events of people, as all other reports count them
--   bots: events with the User-Agent of a bot, which no other report counts; events of server keys are none
--   sessions: number of different visits among events, by sessionId
-- null: No value is NULL. A type that did not occur on a day has no row.
-- needs: Any event.
-- source: Bots: list of the npm package crawler-user-agents.
SELECT local_day(event_time, $zone) AS date, type,
  count(*) FILTER (WHERE NOT is_bot) AS events,
  count(*) FILTER (WHERE is_bot) AS bots,
  count(DISTINCT scope || ' ' || session_id) FILTER (WHERE NOT is_bot) AS sessions
FROM events_with_bots
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  AND date >= $scan_from AND date <= $scan_to
GROUP BY ALL
ORDER BY date, type
