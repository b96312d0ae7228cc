-- search_phrases: Measures of search by phrase, the most searched first.
-- group: search
-- row: a phrase, in lower case with single blanks
-- period: searches begun in it, with their outcome, also after its end
-- segment: of the search
-- param limit INTEGER 1000: most rows
-- columns: phrase, average_results, search_metrics
--   phrase: the phrase
--   average_results: mean of resultsCount
-- null: As in search_overview.
-- needs: As search_overview.
-- source: As search_overview.
SELECT normal_phrase AS phrase, avg(results_count) AS average_results, {{search_metrics}}
FROM search_outcomes
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY normal_phrase
ORDER BY searches DESC, phrase
LIMIT $limit
