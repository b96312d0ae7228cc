-- activity: Every event but those of bots, with its visit (session_key) and its visitor (visitor_id).
--
-- session_key is the event's session_id. An event without one joins the visit of its anonymous_id: a run of that visitor's
-- events with no pause over 30 minutes. It takes the session_id last seen in the run, else the next one seen, else the run
-- is a visit of its own, named anonymous_id@<start in Unix milliseconds>.
-- visitor_id is user:<user_id> where identity knows the event's anonymous_id, else anon:<anonymous_id>. An event without
-- anonymous_id takes that of its session, if one event of the session had it; else it is user:<user_id> with
-- consent.personalization, else session:<session_id>.
WITH loose AS (
  SELECT DISTINCT anonymous_id FROM events WHERE session_id IS NULL
),
marked AS (
  SELECT *, (event_time - lag(event_time) OVER visitor > INTERVAL 30 MINUTE) IS NOT FALSE AS begins
  FROM events SEMI JOIN loose USING (anonymous_id)
  WINDOW visitor AS (PARTITION BY anonymous_id ORDER BY event_time, event_id)
),
runs AS (
  SELECT * EXCLUDE (begins), count(*) FILTER (WHERE begins) OVER visitor AS run
  FROM marked
  WINDOW visitor AS (
    PARTITION BY anonymous_id ORDER BY event_time, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
joined AS (
  SELECT * EXCLUDE (run), coalesce(
    last_value(session_id IGNORE NULLS) OVER before,
    first_value(session_id IGNORE NULLS) OVER after,
    anonymous_id || '@' || epoch_ms(first_value(event_time) OVER before)
  ) AS session_key
  FROM runs
  WINDOW
    before AS (
      PARTITION BY anonymous_id, run ORDER BY event_time, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ),
    after AS (
      PARTITION BY anonymous_id, run ORDER BY event_time, event_id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    )
),
visits AS (
  SELECT *, session_id AS session_key FROM events WHERE session_id IS NOT NULL
  UNION ALL
  SELECT * FROM joined WHERE session_id IS NULL
),
nameless AS (
  SELECT DISTINCT session_id FROM events WHERE anonymous_id IS NULL
),
named AS (
  SELECT session_id, arg_min(anonymous_id, (event_time, event_id)) AS session_anonymous_id
  FROM events SEMI JOIN nameless USING (session_id)
  WHERE anonymous_id IS NOT NULL
  GROUP BY session_id
)
SELECT visits.*,
  coalesce(
    'user:' || known.user_id,
    'anon:' || coalesce(visits.anonymous_id, session_anonymous_id),
    CASE WHEN visits.consent_personalization THEN 'user:' || visits.user_id END,
    'session:' || visits.session_id
  ) AS visitor_id
FROM visits
LEFT JOIN named ON visits.anonymous_id IS NULL AND named.session_id = visits.session_id
LEFT JOIN identity AS known ON known.is_current AND known.anonymous_id = coalesce(visits.anonymous_id, session_anonymous_id)
