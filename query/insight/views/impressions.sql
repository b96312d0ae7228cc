-- impressions: One row per product shown by a search, with its position from 1 across pages.
--
-- The position is the place in resultIds plus the places on the pages before. shown_pages says which pages count.
SELECT scope, search_key, normal_phrase, event_time, date, segment,
  unnest(result_ids) AS product_id,
  unnest(range(before + 1, before + len(result_ids) + 1)) AS position
FROM shown_pages
