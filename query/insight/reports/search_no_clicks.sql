-- search_no_clicks: Phrases that find products nobody clicks.
-- group: search
-- row: a phrase whose searches had results and neither click nor cart add, not one
-- period: searches begun in it; a click after its end counts
-- segment: of the search
-- param min_searches INTEGER 3: fewest searches with results
-- param limit INTEGER 100: most rows
-- columns: phrase, searches, average_results, refined, last_searched_at
--   phrase: the phrase, in lower case with single blanks
--   searches: searches with results
--   average_results: mean of resultsCount
--   refined: part of them followed by another phrase in the same visit within 5 minutes
--   last_searched_at: when it was last searched
-- null: No rows at all where the shop sends no ProductClicked around the period: then nothing is known.
-- needs: Search, ProductClicked.
-- source: Own definition.
SELECT normal_phrase AS phrase, count(*) AS searches, avg(results_count) AS average_results,
  count(next_phrase) / count(*) AS refined, max(event_time) AS last_searched_at
FROM search_outcomes
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  AND results_count > 0 AND (SELECT clicks FROM tracked)
GROUP BY normal_phrase
HAVING sum(clicks) = 0 AND sum(cart_adds) = 0 AND count(*) >= $min_searches
ORDER BY searches DESC, phrase
LIMIT $limit
