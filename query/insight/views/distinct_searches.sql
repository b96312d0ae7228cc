-- distinct_searches: One row per search of a scope, by search_key (see searches): as it was first shown.
--
-- - pages: its pages of results shown, "back" and reloads included.
-- - next_phrase: the refinement, which is the normal_phrase of the next search in the same visit.
--
-- The next search counts as a refinement if it began at most 5 minutes later and has another normal_phrase. Otherwise
-- next_phrase is NULL.
WITH shown AS (
  SELECT scope, coalesce(search_id, event_id) AS search_key,
    event_time, date, segment, session_key, visitor_id, event_id,
    phrase, normal_phrase, results_count, filters, sort
  FROM activity
  WHERE type = 'Search'
),
firsts AS (
  SELECT *, count(*) OVER (PARTITION BY scope, search_key) AS pages
  FROM shown
  QUALIFY row_number() OVER (PARTITION BY scope, search_key ORDER BY event_time, event_id) = 1
),
followed AS (
  SELECT *,
    lead(normal_phrase) OVER visit AS following_phrase,
    epoch_us(lead(event_time) OVER visit) - epoch_us(event_time) <= 300_000_000 AS followed_soon
  FROM firsts
  WINDOW visit AS (PARTITION BY scope, session_key ORDER BY event_time, event_id)
)
SELECT * EXCLUDE (following_phrase, followed_soon),
  CASE WHEN followed_soon AND following_phrase <> normal_phrase THEN following_phrase END AS next_phrase
FROM followed
