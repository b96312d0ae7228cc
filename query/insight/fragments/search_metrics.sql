-- search_metrics: The measures of a set of searches, over search_outcomes.
--
-- columns:
--   searches: searches begun; all pages of a searchId count once
--   visitors: number of visitors who searched
--   zero_results: searches that found nothing
--   zero_result_rate: zero_results / searches
--   clicks: clicks led by these searches
--   clicked_searches: searches with a click
--   ctr: click-through rate, clicked_searches / searches
--   ctr_at_1: searches with a click on position 1 / searches
--   ctr_at_3: the same for positions 1 to 3
--   ctr_at_10: the same for positions 1 to 10
--   mrr: mean reciprocal rank, the mean of 1 / position of the first click, 0 for searches without one
--   mrr_clicked: the same mean over searches with a click that has a position
--   average_click_position: mean position of the first click, over searches with a click that has a position
--   abandonment_rate: searches with results and neither click nor cart add / searches with results
--   refinement_rate: searches followed by another phrase in the same visit within 5 minutes / searches
--   cart_rate: searches that led to a cart add / searches
--   purchase_rate: searches that led to an order line / searches
--   inferred_click_share: clicks attributed by a rule instead of a searchId / clicks
count(search_key) AS searches,
count(DISTINCT scope || ' ' || visitor_id) AS visitors,
count(*) FILTER (WHERE results_count = 0) AS zero_results,
count(*) FILTER (WHERE results_count = 0) / nullif(count(search_key), 0) AS zero_result_rate,
CASE WHEN (SELECT clicks FROM tracked) THEN coalesce(sum(clicks), 0)::BIGINT END AS clicks,
CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE clicks > 0) END AS clicked_searches,
CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE clicks > 0) / nullif(count(search_key), 0) END AS ctr,
CASE WHEN (SELECT positions FROM tracked) THEN count(*) FILTER (WHERE best_position <= 1) / nullif(count(search_key), 0) END
  AS ctr_at_1,
CASE WHEN (SELECT positions FROM tracked) THEN count(*) FILTER (WHERE best_position <= 3) / nullif(count(search_key), 0) END
  AS ctr_at_3,
CASE WHEN (SELECT positions FROM tracked) THEN count(*) FILTER (WHERE best_position <= 10) / nullif(count(search_key), 0) END
  AS ctr_at_10,
CASE WHEN (SELECT positions FROM tracked) THEN coalesce(sum(1 / first_click_position), 0) / nullif(count(search_key), 0) END
  AS mrr,
CASE WHEN (SELECT positions FROM tracked) THEN avg(1 / first_click_position) END AS mrr_clicked,
CASE WHEN (SELECT positions FROM tracked) THEN avg(first_click_position) END AS average_click_position,
CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE results_count > 0 AND clicks = 0 AND cart_adds = 0)
  / nullif(count(*) FILTER (WHERE results_count > 0), 0) END AS abandonment_rate,
count(next_phrase) / nullif(count(search_key), 0) AS refinement_rate,
CASE WHEN (SELECT cart_adds FROM tracked) THEN count(*) FILTER (WHERE cart_adds > 0) / nullif(count(search_key), 0) END
  AS cart_rate,
CASE WHEN (SELECT orders FROM tracked) THEN count(*) FILTER (WHERE order_lines > 0) / nullif(count(search_key), 0) END
  AS purchase_rate,
sum(inferred_clicks) / nullif(sum(clicks), 0) AS inferred_click_share
