-- sessions: One row per visit, by session_key (see activity); a visit ends after 30 minutes without activity.
--
-- A visit over midnight is one visit, of the UTC day it began on. orders counts an order once, even if it was sent several
-- times.
SELECT session_key,
  min(event_time) AS started_at,
  max(event_time) AS ended_at,
  (min(event_time) AT TIME ZONE 'UTC')::DATE AS date,
  arg_min(segment, (event_time, event_id)) AS segment,
  arg_min(visitor_id, (event_time, event_id)) AS visitor_id,
  count(*) AS events,
  count(DISTINCT coalesce(search_id, event_id)) FILTER (WHERE type = 'Search') AS searches,
  count(*) FILTER (WHERE type = 'ProductClicked') AS clicks,
  count(*) FILTER (WHERE type = 'ProductAddedToCart') AS cart_adds,
  count(DISTINCT order_id) FILTER (WHERE type = 'OrderCreated') AS orders,
  arg_min(context_url, (event_time, event_id)) AS entry_url,
  arg_min(context_referrer, (event_time, event_id)) AS referrer,
  arg_min(context_channel, (event_time, event_id)) AS channel
FROM activity
GROUP BY session_key
