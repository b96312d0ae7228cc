-- phrases_daily: Measures of search by day, segment and phrase. The counts add up over days.
-- row: a UTC day, a segment and a phrase searched on it
-- around: 8
-- columns:
--   date date: the UTC day the search began on
--   segment string: the segment of the search
--   phrase string: the phrase, in lower case with single blanks
--   searches long: searches begun; all pages of a searchId count once
--   zero_results long: searches that found nothing
--   clicks long: clicks led by these searches
--   clicked_searches long: searches with a click
--   clicked_at_1 long: searches with a click on position 1
--   clicked_at_3 long: the same for positions 1 to 3
--   clicked_at_10 long: the same for positions 1 to 10
--   reciprocal_ranks double: sum of 1 / position of the first click; divided by searches it is the MRR
--   abandoned long: searches with results and neither click nor cart add
--   refined long: searches followed by another phrase in the same visit within 5 minutes
--   carted long: searches that led to a cart add
--   purchased long: searches that led to an order line
SELECT date, segment, normal_phrase AS phrase,
  count(*) AS searches,
  count(*) FILTER (WHERE results_count = 0) AS zero_results,
  sum(clicks) AS clicks,
  count(*) FILTER (WHERE clicks > 0) AS clicked_searches,
  count(*) FILTER (WHERE best_position <= 1) AS clicked_at_1,
  count(*) FILTER (WHERE best_position <= 3) AS clicked_at_3,
  count(*) FILTER (WHERE best_position <= 10) AS clicked_at_10,
  coalesce(sum(1 / first_click_position), 0) AS reciprocal_ranks,
  count(*) FILTER (WHERE results_count > 0 AND clicks = 0 AND cart_adds = 0) AS abandoned,
  count(next_phrase) AS refined,
  count(*) FILTER (WHERE cart_adds > 0) AS carted,
  count(*) FILTER (WHERE order_lines > 0) AS purchased
FROM search_outcomes
WHERE date >= $first AND date <= $last
GROUP BY ALL
