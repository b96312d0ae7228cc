-- sessions: One row per visit of a scope, by session_key (see activity); a visit ends after 30 minutes without activity.
--
-- A visit over midnight is one visit, of the UTC day it began on. orders counts each order that counts (see all_orders) once.
WITH bought AS (
  SELECT scope, session_key, count(*) AS orders
  FROM buyers SEMI JOIN orders USING (scope, order_id)
  GROUP BY scope, session_key
),
visits AS (
  SELECT scope, session_key,
    min(event_time) AS started_at,
    max(event_time) AS ended_at,
    (min(event_time) AT TIME ZONE 'UTC')::DATE AS date,
    arg_min(segment, (event_time, event_id)) AS segment,
    arg_min(visitor_id, (event_time, event_id)) AS visitor_id,
    count(*) AS events,
    count(DISTINCT coalesce(search_id, event_id)) FILTER (WHERE type = 'Search') AS searches,
    count(*) FILTER (WHERE type = 'ProductClicked') AS clicks,
    count(*) FILTER (WHERE type = 'ProductAddedToCart') AS cart_adds,
    arg_min(context_url, (event_time, event_id)) AS entry_url,
    arg_min(context_referrer, (event_time, event_id)) AS referrer,
    arg_min(context_channel, (event_time, event_id)) AS channel
  FROM activity
  GROUP BY scope, session_key
)
SELECT visits.* EXCLUDE (entry_url, referrer, channel), coalesce(orders, 0) AS orders, entry_url, referrer, channel
FROM visits LEFT JOIN bought USING (scope, session_key)
