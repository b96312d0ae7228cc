-- impressions: One row per product shown by a search, with its position from 1 across pages.
--
-- From resultIds: the place in the list, plus those of the pages before. Which pages count is said in shown_pages.
SELECT search_key, normal_phrase, event_time, date, segment,
  unnest(result_ids) AS product_id,
  unnest(range(before + 1, before + len(result_ids) + 1)) AS position
FROM shown_pages
