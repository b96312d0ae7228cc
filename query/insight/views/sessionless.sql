-- sessionless: One row per event without session_id: the visit it belongs to.
--
-- The event joins the visit of its anonymous_id: a run of that visitor's events without a pause over 30 minutes. The visit is
-- the session_id last seen in the run, else the next one seen. Without any, the run is its own visit, named
-- anonymous_id@<start in Unix milliseconds>.
WITH visitors AS (
  SELECT DISTINCT scope, anonymous_id FROM events WHERE session_id IS NULL
),
marked AS (
  SELECT scope, event_id, event_time, anonymous_id, session_id,
    (epoch_us(event_time) - epoch_us(lag(event_time) OVER visitor) > 1_800_000_000) IS NOT FALSE AS begins
  FROM events SEMI JOIN visitors USING (scope, anonymous_id)
  WINDOW visitor AS (PARTITION BY scope, anonymous_id ORDER BY event_time, event_id)
),
runs AS (
  SELECT *, count(*) FILTER (WHERE begins) OVER visitor AS run
  FROM marked
  WINDOW visitor AS (
    PARTITION BY scope, anonymous_id ORDER BY event_time, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
joined AS (
  SELECT event_id, session_id, coalesce(
    last_value(session_id IGNORE NULLS) OVER before,
    first_value(session_id IGNORE NULLS) OVER after,
    anonymous_id || '@' || epoch_ms(first_value(event_time) OVER before)
  ) AS session_key
  FROM runs
  WINDOW
    before AS (
      PARTITION BY scope, anonymous_id, run ORDER BY event_time, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ),
    after AS (
      PARTITION BY scope, anonymous_id, run ORDER BY event_time, event_id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    )
)
-- One row per event_id even where an event was stored twice, months apart.
SELECT event_id, min(session_key) AS session_key
FROM joined
WHERE session_id IS NULL
GROUP BY event_id
