-- experiment_visitors: The visitors of each experiment and variant in the period, and the variant to compare with.
seen AS MATERIALIZED (
  SELECT *, count(*) OVER (PARTITION BY scope, visitor_id, experiment) > 1 AS mixed
  FROM (
    SELECT scope, visitor_id, experiment, variant, min(event_time) AS since, max(event_time) AS last_seen
    FROM exposures
    WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
      AND ($experiment IS NULL OR experiment = $experiment)
    GROUP BY ALL
  )
),
runs AS (
  SELECT experiment,
    CASE WHEN $control IS NULL
      THEN arg_min(variant, (lower(variant) NOT IN ('control', 'original', 'baseline', 'default', 'off'), variant))
      ELSE min(variant) FILTER (WHERE variant = $control) END AS control,
    (epoch_us(max(last_seen)) - epoch_us(min(since))) / 86_400_000_000 AS days
  FROM seen
  GROUP BY experiment
)
