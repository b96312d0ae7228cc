-- search_refinements: Phrases that people search for next, when the first phrase did not help.
-- group: search
-- row: a phrase and the next phrase of the same visit, begun within 5 minutes
-- period: first searches begun in it
-- segment: of the first search
-- param phrase TEXT: only searches for this phrase, however it is written
-- param min_refinements INTEGER 2: fewest refinements
-- param limit INTEGER 200: most rows
-- columns: phrase, next_phrase, refinements, share, after_zero_results, without_click
--   phrase: the first phrase, in lower case with single blanks
--   next_phrase: the phrase searched next
--   refinements: number of refinements
--   share: refinements / all searches for the first phrase
--   after_zero_results: refinements whose first search found nothing
--   without_click: refinements whose first search led to no click
-- null: without_click is NULL if the shop sends no ProductClicked around the period.
-- needs: Search; sessionId tells visits best.
-- source: Own definition.
WITH asked AS (
  SELECT *, count(*) OVER (PARTITION BY normal_phrase) AS searches
  FROM search_outcomes
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
    AND ($phrase IS NULL OR normal_phrase = normal_phrase($phrase))
)
SELECT normal_phrase AS phrase, next_phrase,
  count(*) AS refinements,
  count(*) / any_value(searches) AS share,
  count(*) FILTER (WHERE results_count = 0) AS after_zero_results,
  CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE clicks = 0) END AS without_click
FROM asked
WHERE next_phrase IS NOT NULL
GROUP BY normal_phrase, next_phrase
HAVING count(*) >= $min_refinements
ORDER BY refinements DESC, phrase, next_phrase
LIMIT $limit
