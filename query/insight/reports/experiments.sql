-- experiments: Experiments and their variants, with the check that visitors were shared out as planned.
-- group: experiment
-- row: an experiment and a variant that an event of the period names
-- period: events that name the experiment
-- segment: of these events
-- param experiment TEXT: only this experiment
-- param control TEXT: the variant to compare with; if absent, the one named control, original, baseline, default or off, else
--   the first by name
-- param planned TEXT: the planned shares, such as "control:50, b:25, c:25"; if absent, equal ones of the variants seen
-- columns: experiment, variant, control, visitors, mixed_visitors, share, planned_share, sample_ratio_p, sample_ratio_off, first_seen, last_seen, days
--   experiment: id of the experiment
--   variant: the variant
--   control: the variant that the others are compared with
--   visitors: visitors with this variant alone, the unit of randomisation and of all comparisons
--   mixed_visitors: visitors with this variant and another; all comparisons leave them out
--   share: visitors / visitors of all variants of the experiment
--   planned_share: the planned share
--   sample_ratio_p: the chance that visitors are shared out this unevenly or more, by a chi-square test of the experiment
--   sample_ratio_off: sample_ratio_p < 0.001. Then something loses visitors of a variant, and no comparison is to be trusted.
--   first_seen: first event of the period that names the variant
--   last_seen: the last such event
--   days: time from the first to the last event of the experiment in the period, in days
-- null: control is NULL if no visitor had the one asked for. planned_share and sample_ratio_p are NULL if "planned" lacks a
--   variant that was seen, or is not written so. With a single variant they are NULL too.
-- needs: experiments with id and variant, on the events of the visitors in the experiment.
-- source: A. Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019; chi-square test of
--   K. Pearson, 1900.
WITH {{experiment_visitors}},
plan AS (
  SELECT variant, sum(weight) AS weight
  FROM (
    SELECT trim(regexp_extract(part, '^(.*):[^:]*$', 1)) AS variant,
      try_cast(regexp_extract(part, '[^:]*$') AS DOUBLE) AS weight
    FROM (SELECT unnest(string_split($planned, ',')) AS part)
  )
  GROUP BY variant
),
variants AS (
  SELECT experiment, variant,
    count(*) FILTER (WHERE NOT mixed) AS visitors,
    count(*) FILTER (WHERE mixed) AS mixed_visitors,
    min(since) AS first_seen, max(last_seen) AS last_seen
  FROM seen
  GROUP BY experiment, variant
),
planned AS (
  SELECT variants.*,
    sum(visitors) OVER own AS all_visitors,
    CASE WHEN $planned IS NULL THEN count(*) OVER own ELSE (SELECT count(*) FROM plan) END AS planned_variants,
    CASE WHEN $planned IS NULL THEN 1 / count(*) OVER own
      WHEN count(weight) OVER own = count(*) OVER own THEN weight / (SELECT sum(weight) FROM plan) END AS planned_share
  FROM variants LEFT JOIN plan USING (variant)
  WINDOW own AS (PARTITION BY experiment)
),
checked AS (
  -- A planned variant that nobody saw adds all visitors that it should have.
  SELECT *, chi_square_p(
      sum(pow(visitors - all_visitors * planned_share, 2) / nullif(all_visitors * planned_share, 0)) OVER own
        + all_visitors * greatest(0, 1 - sum(planned_share) OVER own),
      planned_variants - 1
    ) AS sample_ratio_p
  FROM planned
  WINDOW own AS (PARTITION BY experiment)
)
SELECT experiment, variant, control, visitors, mixed_visitors,
  visitors / nullif(all_visitors, 0) AS share,
  planned_share, sample_ratio_p, sample_ratio_p < 0.001 AS sample_ratio_off, first_seen, last_seen, days
FROM checked JOIN runs USING (experiment)
ORDER BY experiment, variant IS DISTINCT FROM control, variant
