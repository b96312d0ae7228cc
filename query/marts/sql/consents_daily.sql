-- consents_daily: Ids seen together, and their consent to personalization, by day.
-- row: a UTC day, a scope, an anonymousId and a userId. The two ids are in one row only with consent
-- columns:
--   date date: the UTC day
--   scope string: the segment of the ids; * if the tenant's segments share them
--   anonymous_id string: the visitor
--   user_id string: the customer; NULL if the events name none or lack consent
--   events long: number of events
--   first_at timestamp: time of the first of them
--   last_at timestamp: time of the last of them
--   granted_at timestamp: time of the last with consent.personalization = true
--   refused_at timestamp: time of the last with consent.personalization = false
SELECT date, scope, anonymous_id, CASE WHEN consent_personalization OR anonymous_id IS NULL THEN user_id END AS user_id,
  count(*) AS events,
  min(event_time) AS first_at,
  max(event_time) AS last_at,
  max(event_time) FILTER (WHERE consent_personalization) AS granted_at,
  max(event_time) FILTER (WHERE NOT consent_personalization) AS refused_at
FROM events
WHERE date >= $first AND date <= $last AND coalesce(anonymous_id, user_id) IS NOT NULL
GROUP BY ALL
