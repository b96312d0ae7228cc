-- experiment_metrics: What each variant of an experiment changes, with 95 % confidence intervals.
-- group: experiment
-- row: an experiment, a variant, a measure and, for amounts, a currency
-- period: visitors who first met the experiment in it; their orders and searches from then to its end
-- segment: of the events that name the experiment; orders and searches of these visitors count in all segments of their scope
-- param experiment TEXT: only this experiment
-- param control TEXT: the variant to compare with; if absent, as in experiments
-- param cap_percent DOUBLE 99: percentile of buyers and of orders, of all variants together, to which larger amounts are capped
-- param effect DOUBLE 0.05: the effect to see, as a part of the control's value, for days_left
-- columns: experiment, variant, control, metric, currency, visitors, base, amount, value, cap, compared_value, difference, difference_low, difference_high, change, certain, smallest_effect, days_left
--   experiment: id of the experiment
--   variant: the variant
--   control: the variant that it is compared with
--   metric: conversion (buyers / visitors), search_click_rate (searches with a click / searches), revenue_per_visitor (totals of
--     orders / visitors) or average_order (totals / orders)
--   currency: of amounts; amounts of different currencies are never added
--   visitors: visitors that the measure is about: all of the variant, those who searched, or those who ordered in the currency
--   base: the number below the line: visitors, searches or orders
--   amount: the number above it: buyers, searches with a click, or the sum of totals
--   value: amount / base
--   cap: the amount that a visitor's revenue, or an order's total, is capped to
--   compared_value: value with capped amounts; the comparison is between these
--   difference: compared_value - compared_value of the control
--   difference_low: lower end of its 95 % confidence interval
--   difference_high: upper end
--   change: difference / compared_value of the control
--   certain: whether the interval excludes 0
--   smallest_effect: the difference that this many visitors show four times of five (80 % power, two-sided test at 5 %)
--   days_left: days until smallest_effect is "effect" of the control's value, if visitors come as until now; 0 if it is already, at
--     most 36,500
-- null: Of the control, all from difference on are NULL. A value whose base is 0 is NULL, and a currency's amount is 0 without
--   an order in it. Intervals of means need 10 visitors that the measure is about in both variants, and some variance.
--   Measures of orders and clicks are NULL if the shop sends no such event around the period.
-- needs: experiments with id and variant, on the events of the visitors in the experiment; OrderCreated, Search and
--   ProductClicked for the measures.
-- source: Newcombe's interval for conversion. For the others Welch's, with the variance of a ratio by the delta method, since
--   searches and orders of one visitor are not independent. Caps: R. Kohavi, D. Tang, Y. Xu, "Trustworthy online controlled
--   experiments", 2020, chapters 17 to 22. The macros name each formula.
WITH {{experiment_visitors}},
units AS MATERIALIZED (
  SELECT scope, visitor_id, experiment, variant, since FROM seen WHERE NOT mixed
),
bought AS (
  SELECT experiment, variant, scope, visitor_id, currency, total::DOUBLE AS total
  FROM (SELECT scope, order_id, event_time, currency, total FROM orders) AS placed
  JOIN buyers USING (scope, order_id)
  JOIN units USING (scope, visitor_id)
  WHERE placed.event_time >= $from AND placed.event_time < $to AND placed.event_time >= since
),
order_caps AS (
  SELECT experiment, currency, list_sort(list(total))[ceil(count(*) * $cap_percent / 100)::BIGINT] AS cap
  FROM bought
  GROUP BY experiment, currency
),
spent AS (
  SELECT experiment, variant, scope, visitor_id, currency,
    count(*) AS orders, sum(total) AS total, sum(least(total, cap)) AS capped
  FROM bought JOIN order_caps USING (experiment, currency)
  GROUP BY ALL
),
buyer_caps AS (
  SELECT experiment, currency, list_sort(list(total))[ceil(count(*) * $cap_percent / 100)::BIGINT] AS cap
  FROM spent
  GROUP BY experiment, currency
),
searched AS (
  SELECT experiment, variant, scope, visitor_id, count(*) AS searches, count(*) FILTER (WHERE clicks > 0) AS clicked
  FROM search_outcomes JOIN units USING (scope, visitor_id)
  WHERE event_time >= $from AND event_time < $to AND event_time >= since
  GROUP BY ALL
),
-- A row of a visitor: what is above and below the line. Visitors without orders have no row.
parts AS (
  SELECT experiment, variant, 'conversion' AS metric, '' AS currency, 1 AS amount, 1 AS capped, 1 AS below
  FROM (SELECT DISTINCT experiment, variant, scope, visitor_id FROM bought)
  UNION ALL
  SELECT experiment, variant, 'search_click_rate', '', clicked, clicked, searches FROM searched
  UNION ALL
  SELECT experiment, variant, 'revenue_per_visitor', currency, total, least(total, cap), 1
  FROM spent JOIN buyer_caps USING (experiment, currency)
  UNION ALL
  SELECT experiment, variant, 'average_order', currency, total, capped, orders FROM spent
),
sizes AS (SELECT experiment, variant, count(*) AS all_visitors FROM units GROUP BY ALL),
cells AS (
  SELECT experiment, variant, all_visitors, 'conversion' AS metric, '' AS currency, NULL::DOUBLE AS cap FROM sizes
  UNION ALL
  SELECT experiment, variant, all_visitors, 'search_click_rate', '', NULL FROM sizes
  UNION ALL
  SELECT experiment, variant, all_visitors, 'revenue_per_visitor', currency, cap FROM sizes JOIN buyer_caps USING (experiment)
  UNION ALL
  SELECT experiment, variant, all_visitors, 'average_order', currency, cap FROM sizes JOIN order_caps USING (experiment)
),
summed AS (
  SELECT experiment, variant, metric, currency, any_value(cap) AS cap, count(below) AS active,
    any_value(metric IN ('conversion', 'revenue_per_visitor')) AS of_all,
    CASE WHEN any_value(metric IN ('conversion', 'revenue_per_visitor')) THEN any_value(all_visitors)
      ELSE count(below) END AS visitors,
    CASE WHEN any_value(metric IN ('conversion', 'revenue_per_visitor')) THEN any_value(all_visitors)
      ELSE coalesce(sum(below), 0)::BIGINT END AS base,
    coalesce(sum(amount), 0) AS amount,
    coalesce(sum(capped), 0) AS capped
  FROM cells LEFT JOIN parts USING (experiment, variant, metric, currency)
  WHERE CASE metric WHEN 'search_click_rate' THEN (SELECT clicks FROM tracked) ELSE (SELECT orders FROM tracked) END
  GROUP BY experiment, variant, metric, currency
),
spread AS (
  SELECT experiment, variant, metric, currency, sum(pow(parts.capped - summed.capped / base * below, 2)) AS squares
  FROM summed JOIN parts USING (experiment, variant, metric, currency)
  GROUP BY ALL
),
measured AS (
  SELECT summed.*, capped / nullif(base, 0) AS compared_value,
    ratio_variance(coalesce(squares, 0) + (visitors - active) * pow(capped / nullif(base, 0), 2), base, visitors) AS variance
  FROM summed LEFT JOIN spread USING (experiment, variant, metric, currency)
),
compared AS (
  SELECT cells.experiment, cells.variant, control, cells.metric, cells.currency, cells.cap, days,
    own.* EXCLUDE (experiment, variant, metric, currency, cap),
    CASE WHEN cells.variant <> control THEN base.compared_value END AS base_value,
    base.variance AS base_variance, base.visitors AS base_visitors, base.amount AS base_amount,
    own.compared_value - CASE WHEN cells.variant <> control THEN base.compared_value END AS difference
  FROM cells
  JOIN runs USING (experiment)
  LEFT JOIN measured AS own USING (experiment, variant, metric, currency)
  LEFT JOIN measured AS base ON base.experiment = cells.experiment AND base.variant = control
    AND base.metric = cells.metric AND base.currency = cells.currency
),
bounded AS (
  SELECT *,
    CASE WHEN metric = 'conversion' THEN newcombe_low(amount, visitors, base_amount, base_visitors)
      ELSE difference - welch_margin(variance, visitors, base_variance, base_visitors) END AS low,
    CASE WHEN metric = 'conversion' THEN newcombe_high(amount, visitors, base_amount, base_visitors)
      ELSE difference + welch_margin(variance, visitors, base_variance, base_visitors) END AS high,
    smallest_effect(variance + base_variance) AS visible
  FROM compared
)
SELECT experiment, variant, control, metric, nullif(currency, '') AS currency, visitors, base, amount,
  amount / nullif(base, 0) AS value,
  cap, compared_value, difference,
  CASE WHEN difference IS NOT NULL THEN low END AS difference_low,
  CASE WHEN difference IS NOT NULL THEN high END AS difference_high,
  difference / nullif(base_value, 0) AS change,
  CASE WHEN difference IS NOT NULL THEN low > 0 OR high < 0 END AS certain,
  CASE WHEN difference IS NOT NULL THEN visible END AS smallest_effect,
  CASE WHEN days > 0 AND base_value > 0 AND visible > 0
    THEN least(36_500, greatest(0, ceil(days * (pow(visible / ($effect * base_value), 2) - 1))))::BIGINT END AS days_left
FROM bounded
ORDER BY experiment, array_position(['conversion', 'search_click_rate', 'revenue_per_visitor', 'average_order'], metric),
  currency, variant IS DISTINCT FROM control, variant
