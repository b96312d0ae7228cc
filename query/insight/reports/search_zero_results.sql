-- search_zero_results: Phrases without results, the most searched first.
-- group: search
-- row: a phrase with at least one search without results
-- period: searches begun in it
-- segment: of the search
-- param limit INTEGER 100: most rows
-- columns: phrase, zero_results, searches, zero_result_rate, visitors, refined, last_searched_at
--   phrase: the phrase, in lower case with single blanks
--   zero_results: searches that found nothing
--   searches: all searches for it
--   zero_result_rate: zero_results / searches
--   visitors: number of visitors who found nothing
--   refined: share of the searches without results followed by another phrase in the same visit within 5 minutes
--   last_searched_at: time it last found nothing
-- null: No value is NULL. A phrase that always finds something has no row.
-- needs: Search with resultsCount.
-- source: Own definition.
SELECT normal_phrase AS phrase,
  count(*) FILTER (WHERE results_count = 0) AS zero_results,
  count(*) AS searches,
  count(*) FILTER (WHERE results_count = 0) / count(*) AS zero_result_rate,
  count(DISTINCT scope || ' ' || visitor_id) FILTER (WHERE results_count = 0) AS visitors,
  count(next_phrase) FILTER (WHERE results_count = 0) / count(*) FILTER (WHERE results_count = 0) AS refined,
  max(event_time) FILTER (WHERE results_count = 0) AS last_searched_at
FROM distinct_searches
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY normal_phrase
HAVING count(*) FILTER (WHERE results_count = 0) > 0
ORDER BY zero_results DESC, phrase
LIMIT $limit
