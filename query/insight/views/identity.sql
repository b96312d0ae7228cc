-- identity: Which customer an anonymous visitor is, by events that carry both ids and consent.
--
-- A pair of anonymous_id and user_id is here when an event carried both together with consent.personalization = true, and
-- the latest consent stated under that anonymous_id is true (a refusal at the same moment wins). Consent never stated is no
-- consent. is_current marks the customer seen last under the anonymous_id; users says how many it has had (a shared device).
WITH pairs AS MATERIALIZED (
  SELECT anonymous_id, CASE WHEN consent_personalization THEN user_id END AS user_id,
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
  WINDOW visitor AS (PARTITION BY anonymous_id)
)
SELECT anonymous_id, user_id, first_seen, last_seen, events,
  row_number() OVER (PARTITION BY anonymous_id ORDER BY last_seen DESC, user_id) = 1 AS is_current,
  count(*) OVER (PARTITION BY anonymous_id) AS users
FROM stated
WHERE agreed AND user_id IS NOT NULL
