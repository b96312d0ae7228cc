-- identity_map: The customer behind an anonymous visitor, from events with both ids and consent.
-- row: a scope, an anonymousId and a userId. A visitor who refused later has none
-- reads: consents_daily
-- columns:
--   scope string: the segment of the ids; * if the tenant's segments share them
--   anonymous_id string: the visitor
--   user_id string: the customer
--   first_seen timestamp: time of the first event with both ids and consent.personalization = true
--   last_seen timestamp: time of the last such event
--   events long: number of such events
--   is_current boolean: whether this customer was seen last under the anonymous_id
--   users long: number of customers seen under the anonymous_id; more than one means a shared device
WITH pairs AS (
  SELECT scope, anonymous_id, user_id, sum(events) AS events, min(first_at) AS first_seen, max(last_at) AS last_seen,
    max(granted_at) AS granted_at, max(refused_at) AS refused_at
  FROM consents_daily
  WHERE anonymous_id IS NOT NULL
  GROUP BY ALL
),
stated AS (
  SELECT *, max(granted_at) OVER visitor > coalesce(max(refused_at) OVER visitor, TIMESTAMPTZ '-infinity') AS agreed
  FROM pairs
  WINDOW visitor AS (PARTITION BY scope, anonymous_id)
)
SELECT scope, anonymous_id, user_id, first_seen, last_seen, events,
  row_number() OVER (PARTITION BY scope, anonymous_id ORDER BY last_seen DESC, user_id) = 1 AS is_current,
  count(*) OVER (PARTITION BY scope, anonymous_id) AS users
FROM stated
WHERE agreed AND user_id IS NOT NULL
ORDER BY scope, anonymous_id, user_id
