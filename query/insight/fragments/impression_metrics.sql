-- impression_metrics: Impressions and their clicks, over seen(position, was_clicked): one row per visit, place and product.
--
-- columns:
--   shown: impressions; a product that is shown again in the same place of a visit counts once
--   clicked: those clicked there in the same visit
--   click_rate: click-through rate, clicked / shown
--   click_rate_low: lower end of its 95 % confidence interval
--   click_rate_high: upper end
--   average_position: mean of the best position of each impression that has one
count(*) AS shown,
CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE was_clicked) END AS clicked,
CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE was_clicked) / count(*) END AS click_rate,
CASE WHEN (SELECT clicks FROM tracked) THEN wilson_low(count(*) FILTER (WHERE was_clicked), count(*)) END AS click_rate_low,
CASE WHEN (SELECT clicks FROM tracked) THEN wilson_high(count(*) FILTER (WHERE was_clicked), count(*)) END AS click_rate_high,
avg(position) AS average_position
