-- identity_map: Which customer an anonymous visitor is, by events with both ids and consent.
-- row: an anonymousId and a userId. A visitor who refused since has none
-- reads: consents_daily
-- columns:
--   anonymous_id string: the visitor
--   user_id string: the customer
--   first_seen timestamp: first event with both ids and consent.personalization = true
--   last_seen timestamp: the last such event
--   events long: how many such events
--   is_current boolean: whether this is the customer seen last under the anonymous_id
--   users long: customers seen under the anonymous_id: more than one is a shared device
WITH pairs AS (
  SELECT anonymous_id, user_id, sum(events) AS events, min(first_at) AS first_seen, max(last_at) AS last_seen,
    max(granted_at) AS granted_at, max(refused_at) AS refused_at
  FROM consents_daily
  WHERE anonymous_id IS NOT NULL
  GROUP BY ALL
),
stated AS (
  SELECT *, max(granted_at) OVER visitor > coalesce(max(refused_at) OVER visitor, TIMESTAMPTZ '-infinity') AS agreed
  FROM pairs
  WINDOW visitor AS (PARTITION BY anonymous_id)
)
SELECT anonymous_id, user_id, first_seen, last_seen, events,
  row_number() OVER (PARTITION BY anonymous_id ORDER BY last_seen DESC, user_id) = 1 AS is_current,
  count(*) OVER (PARTITION BY anonymous_id) AS users
FROM stated
WHERE agreed AND user_id IS NOT NULL
ORDER BY anonymous_id, user_id
