-- search_filters: Filters in use, and filters that leave no results.
-- group: search
-- row: a filter field and one of its chosen values
-- period: searches begun in it
-- segment: of the search
-- param limit INTEGER 500: most rows
-- columns: field, value, searches, share, zero_results, zero_result_rate, filtered_to_zero, ctr
--   field: the filtered field
--   value: a chosen value
--   searches: searches with it in force when first shown
--   share: searches / all searches of the period
--   zero_results: those that found nothing
--   zero_result_rate: zero_results / searches
--   filtered_to_zero: those whose phrase finds something without filters in the same period
--   ctr: share of the searches with a click
-- null: ctr is NULL if the shop sends no ProductClicked around the period. A filter never used has no row.
-- needs: Search with filters.
-- source: Own definition.
WITH asked AS (
  SELECT *, count(*) OVER () AS total,
    coalesce(bool_or(results_count > 0 AND coalesce(len(filters), 0) = 0) OVER (PARTITION BY normal_phrase), false) AS findable
  FROM search_outcomes
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
fields AS (SELECT scope, search_key, results_count, clicks, total, findable, unnest(filters) AS filter FROM asked),
chosen AS (
  SELECT DISTINCT scope, search_key, results_count, clicks, total, findable, filter.field AS field, unnest(filter.values) AS value
  FROM fields
)
SELECT field, value,
  count(*) AS searches,
  count(*) / any_value(total) AS share,
  count(*) FILTER (WHERE results_count = 0) AS zero_results,
  count(*) FILTER (WHERE results_count = 0) / count(*) AS zero_result_rate,
  count(*) FILTER (WHERE results_count = 0 AND findable) AS filtered_to_zero,
  CASE WHEN (SELECT clicks FROM tracked) THEN count(*) FILTER (WHERE clicks > 0) / count(*) END AS ctr
FROM chosen
GROUP BY field, value
ORDER BY searches DESC, field, value
LIMIT $limit
