-- search_quality: How well each phrase's results were ordered, by day.
-- group: search
-- row: a day and a phrase with a search that showed results
-- period: searches begun in it, with their clicks, also after its end
-- segment: of the search
-- param phrase TEXT: only this phrase, however it is written
-- param k INTEGER 10: places that count
-- param min_examined DOUBLE 10: as in judgments
-- param steps INTEGER 25: as in judgments
-- param limit INTEGER 100000: most rows
-- columns: date, phrase, searches, ndcg, judged_share, mrr
--   date: day of the shop
--   phrase: the phrase, in lower case with single blanks
--   searches: searches for it that showed results
--   ndcg: mean over these searches of the normalized discounted cumulative gain of the first k places, with the grades of judgments
--   judged_share: share of the first k places whose product has a judgment; the others have a gain of 0
--   mrr: mean reciprocal rank of the first click, 0 for searches without one
-- null: ndcg is NULL if no product of the phrase has a grade above 0. mrr is NULL if the shop sends no click with a position
--   around the period.
-- needs: As judgments.
-- source: K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002), with the gain 2^grade - 1
--   and the discount log2(1 + place) of C. Burges et al., "Learning to rank using gradient descent", ICML 2005. All days have
--   the judgments of the whole period, so days compare. MRR: E. M. Voorhees, 1999.
WITH {{click_model}},
best AS (
  SELECT phrase, sum((pow(2, grade) - 1) / log2(1 + place)) AS ideal
  FROM (
    SELECT phrase, grade, row_number() OVER (PARTITION BY phrase ORDER BY grade DESC, product_id) AS place FROM judged
  )
  WHERE place <= $k
  GROUP BY phrase
),
places AS (
  SELECT scope, search_key, normal_phrase AS phrase, unnest(result_ids) AS product_id, unnest(positions) AS position
  FROM (FROM listed UNION ALL FROM seen)
),
gains AS (
  SELECT scope, search_key, phrase, count(*) AS places, count(grade) AS judged_places,
    coalesce(sum((pow(2, grade) - 1) / log2(1 + position)), 0) AS gain
  FROM places LEFT JOIN judged USING (phrase, product_id)
  WHERE position <= $k
  GROUP BY scope, search_key, phrase
)
SELECT local_day(event_time, $zone) AS date, phrase,
  count(*) AS searches,
  avg(gain / nullif(ideal, 0)) AS ndcg,
  sum(judged_places) / sum(places) AS judged_share,
  CASE WHEN (SELECT positions FROM tracked) THEN coalesce(sum(1 / first_click_position), 0) / count(*) END AS mrr
FROM gains
JOIN (SELECT scope, search_key, event_time, first_click_position FROM search_outcomes) USING (scope, search_key)
LEFT JOIN best USING (phrase)
WHERE event_time >= $from AND event_time < $to AND ($phrase IS NULL OR phrase = normal_phrase($phrase))
GROUP BY date, phrase
ORDER BY date, searches DESC, phrase
LIMIT $limit
