-- buyers: One row per order: the visit and the visitor it belongs to.
--
-- Several events may tell of an order (see orders). The visit is that of the first received one that carries a session_id,
-- the visitor that of the first that carries an anonymous_id; where none does, of the first.
SELECT order_id,
  arg_min(session_key, (session_id IS NULL, received_at, event_time, event_id)) AS session_key,
  arg_min(visitor_id, (anonymous_id IS NULL, received_at, event_time, event_id)) AS visitor_id
FROM activity
WHERE type = 'OrderCreated'
GROUP BY order_id
