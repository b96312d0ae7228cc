-- session_visitors: One row per session of a scope that has events with and without anonymous_id: the first anonymous_id.
WITH sessions_asked AS (
  SELECT DISTINCT scope, session_id FROM events WHERE anonymous_id IS NULL
)
SELECT scope, session_id, arg_min(anonymous_id, (event_time, event_id)) AS anonymous_id
FROM events SEMI JOIN sessions_asked USING (scope, session_id)
WHERE anonymous_id IS NOT NULL
GROUP BY scope, session_id
