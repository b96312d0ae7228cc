-- buyers: One row per order of a scope: its visit and its visitor.
--
-- Several events may be about one order (see orders). The visit is from the first received event with a session_id. The
-- visitor is from the first received event with an anonymous_id. If no event has one, the first event counts.
SELECT scope, order_id,
  arg_min(session_key, (session_id IS NULL, received_at, event_time, event_id)) AS session_key,
  arg_min(visitor_id, (anonymous_id IS NULL, received_at, event_time, event_id)) AS visitor_id
FROM activity
WHERE type = 'OrderCreated'
GROUP BY scope, order_id
