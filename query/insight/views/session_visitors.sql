-- session_visitors: One row per session that has events with and without anonymous_id: the first anonymous_id.
WITH sessions_asked AS (
  SELECT DISTINCT session_id FROM events WHERE anonymous_id IS NULL
)
SELECT session_id, arg_min(anonymous_id, (event_time, event_id)) AS anonymous_id
FROM events SEMI JOIN sessions_asked USING (session_id)
WHERE anonymous_id IS NOT NULL
GROUP BY session_id
