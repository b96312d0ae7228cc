-- shown_pages: One row per page of results shown by a search, with its products in order.
--
-- before counts the places above the page: (page - 1) * pageSize. A page of a search that is shown again ("back", reload)
-- counts once. A page after the first without pageSize is left out, because its positions are unknown.
WITH pages AS NOT MATERIALIZED (
  SELECT scope, search_key, normal_phrase, event_time, event_id, date, segment, result_ids, coalesce(page, 1) AS page,
    CASE WHEN coalesce(page, 1) = 1 THEN 0 ELSE (page - 1)::BIGINT * page_size END AS before
  FROM searches
),
-- Few pages are shown again, and only these are compared: the lists of all others pass by without being held.
again AS (SELECT scope, search_key, page FROM pages GROUP BY ALL HAVING count(*) > 1),
once AS (
  FROM pages ANTI JOIN again USING (scope, search_key, page)
  UNION ALL
  FROM (FROM pages SEMI JOIN again USING (scope, search_key, page))
  QUALIFY row_number() OVER (PARTITION BY scope, search_key, page ORDER BY event_time, event_id) = 1
)
SELECT scope, search_key, page, normal_phrase, event_time, date, segment, before, result_ids
FROM once
WHERE before IS NOT NULL AND result_ids IS NOT NULL
