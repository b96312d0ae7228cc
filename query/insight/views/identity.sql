-- identity: The customer behind an anonymous visitor of a scope, from events with both ids and consent.
--
-- A pair of anonymous_id and user_id needs two things: an event that carried both with consent.personalization = true, and true
-- as the latest consent under that anonymous_id. A refusal at the same moment wins. Consent that was never stated is no consent.
--
-- - is_current: the customer seen last under the anonymous_id.
-- - users: number of customers seen under the anonymous_id; more than one means a shared device.
WITH pairs AS MATERIALIZED (
  SELECT scope, anonymous_id, CASE WHEN consent_personalization THEN user_id END AS user_id,
    min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS events,
    max(event_time) FILTER (WHERE consent_personalization) AS granted_at,
    max(event_time) FILTER (WHERE NOT consent_personalization) AS refused_at
  FROM events
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
