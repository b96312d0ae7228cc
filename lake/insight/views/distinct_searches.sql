-- distinct_searches: One row per search, by search_key (see searches): as it was first shown.
--
-- pages: results pages shown of it, "back" and reloads included. next_phrase: the refinement, that is normal_phrase of the
-- next search of the same visit, where it began at most 5 minutes later and has another normal_phrase; else NULL.
WITH firsts AS (
  SELECT coalesce(search_id, event_id) AS search_key,
    event_time, date, segment, session_key, visitor_id, event_id,
    phrase, normal_phrase(phrase) AS normal_phrase, results_count, filters, sort,
    count(*) OVER (PARTITION BY coalesce(search_id, event_id)) AS pages
  FROM activity
  WHERE type = 'Search'
  QUALIFY row_number() OVER (PARTITION BY coalesce(search_id, event_id) ORDER BY event_time, event_id) = 1
),
followed AS (
  SELECT *,
    lead(normal_phrase) OVER visit AS following_phrase,
    lead(event_time) OVER visit - event_time <= INTERVAL 5 MINUTE AS followed_soon
  FROM firsts
  WINDOW visit AS (PARTITION BY session_key ORDER BY event_time, event_id)
)
SELECT * EXCLUDE (following_phrase, followed_soon),
  CASE WHEN followed_soon AND following_phrase <> normal_phrase THEN following_phrase END AS next_phrase
FROM followed
