-- search_no_clicks: Phrases with results that nobody clicks.
-- group: search
-- row: a phrase whose searches had results, but not one click or cart add
-- period: searches begun in it; a click after its end counts
-- segment: of the search
-- param min_searches INTEGER 3: fewest searches with results
-- param limit INTEGER 100: most rows
-- columns: phrase, searches, average_results, refined, last_searched_at
--   phrase: the phrase, in lower case with single blanks
--   searches: searches with results
--   average_results: mean of resultsCount
--   refined: share of them followed by another phrase in the same visit within 5 minutes
--   last_searched_at: time of the last search
-- null: There are no rows if the shop sends no ProductClicked around the period.
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
