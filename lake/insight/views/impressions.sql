-- impressions: One row per product shown by a search, with its position from 1 across pages.
--
-- From resultIds: the place in the list, plus (page - 1) * pageSize. A page of a search that is shown again ("back", reload)
-- counts once; a page beyond the first that tells no pageSize is left out, for its positions are not known.
SELECT search_key, normal_phrase, event_time, date, segment,
  unnest(result_ids) AS product_id,
  unnest(range(before + 1, before + len(result_ids) + 1)) AS position
FROM (
  SELECT *, CASE WHEN coalesce(page, 1) = 1 THEN 0 ELSE (page - 1)::BIGINT * page_size END AS before
  FROM searches
  QUALIFY row_number() OVER (PARTITION BY search_key, coalesce(page, 1) ORDER BY event_time, event_id) = 1
)
WHERE before IS NOT NULL
