-- phrase_products: Products that people want for a phrase, corrected for the position they were shown at.
-- group: personalization
-- row: a phrase and a product shown for it
-- period: pages of results shown in it, with their clicks, also after its end
-- segment: of the search
-- param phrase TEXT: only this phrase, however it is written
-- param min_shown INTEGER 1: fewest times shown
-- param prior DOUBLE 1: expected clicks that pull coec_smoothed towards 1
-- param limit INTEGER 10000: most rows
-- columns: phrase, product_id, shown, clicks, expected_clicks, coec, coec_smoothed, average_position
--   phrase: the phrase, in lower case with single blanks
--   product_id: the product
--   shown: searches for the phrase that showed it, by resultIds
--   clicks: those searches that led to a click on it
--   expected_clicks: sum over shown of the position's click rate, over all phrases and products of the report
--   coec: clicks / expected_clicks; 2 means clicked twice as often as usual at these positions
--   coec_smoothed: (clicks + prior) / (expected_clicks + prior), steadier if the product was shown seldom
--   average_position: mean position it was shown at
-- null: coec is NULL if none of its positions was ever clicked. Without resultIds, or without ProductClicked around the period, there
--   are no rows.
-- needs: Search with resultIds (page and pageSize beyond the first), ProductClicked.
-- source: COEC: W. V. Zhang, R. Jones, "Comparing click logs and editorial labels for training query rewriting", WWW 2007
--   workshop on query log analysis. Smoothing by a gamma prior of mean 1.
WITH clicked AS (
  SELECT scope, search_key, list(product_id) AS clicked_ids
  FROM attribution
  WHERE kind = 'click' AND search_key IS NOT NULL
  GROUP BY scope, search_key
),
-- Joined a page at a time: joined a product at a time, each product shown would be held in memory.
cells AS (
  SELECT normal_phrase, product_id, position, count(*) AS shown, count(*) FILTER (was_clicked) AS clicks
  FROM (
    SELECT normal_phrase, unnest(result_ids) AS product_id,
      unnest(range(before + 1, before + len(result_ids) + 1)) AS position,
      unnest(list_transform(result_ids, lambda id: list_contains(clicked_ids, id))) AS was_clicked
    FROM shown_pages LEFT JOIN clicked USING (scope, search_key)
    WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
      AND (SELECT clicks FROM tracked)
  )
  GROUP BY ALL
),
rated AS (
  SELECT *, sum(clicks) OVER place / sum(shown) OVER place AS click_rate
  FROM cells
  WINDOW place AS (PARTITION BY position)
)
SELECT normal_phrase AS phrase, product_id,
  sum(shown)::BIGINT AS shown,
  sum(clicks)::BIGINT AS clicks,
  sum(shown * click_rate) AS expected_clicks,
  sum(clicks) / nullif(sum(shown * click_rate), 0) AS coec,
  (sum(clicks) + $prior) / nullif(sum(shown * click_rate) + $prior, 0) AS coec_smoothed,
  sum(shown::HUGEINT * position) / sum(shown) AS average_position
FROM rated
WHERE $phrase IS NULL OR normal_phrase = normal_phrase($phrase)
GROUP BY phrase, product_id
HAVING sum(shown) >= $min_shown
ORDER BY clicks DESC, coec DESC NULLS LAST, phrase, product_id
LIMIT $limit
