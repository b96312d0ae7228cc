-- search_positions: Clicks by position in the results, and the click rate of each position.
-- group: search
-- row: a position that was clicked or shown; NULL for clicks without a position
-- period: searches and pages of results shown in it, with their clicks, also after its end
-- segment: of the search
-- columns: position, clicks, share, cumulative_share, shown, clicked, click_rate
--   position: position in the results from 1, across pages
--   clicks: clicks led by a search with this position
--   share: clicks / all clicks of the report
--   cumulative_share: share of this and all positions above
--   shown: products shown there, by resultIds; a page shown again counts once
--   clicked: those clicked after this search
--   click_rate: clicked / shown, which falls with the position
-- null: Without a Search with resultIds for a position, its shown, clicked and click_rate are NULL. The column clicks is NULL if the shop
--   sends no ProductClicked around the period, else 0.
-- needs: ProductClicked with position; for shown and click_rate Search with resultIds (with page and pageSize after the first).
-- source: Position bias of clicks: N. Craswell et al., "An experimental comparison of click position-bias models", WSDM 2008.
WITH asked AS (
  SELECT scope, search_key FROM distinct_searches
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
led AS (
  SELECT scope, search_key, product_id, position FROM attribution SEMI JOIN asked USING (scope, search_key) WHERE kind = 'click'
),
histogram AS (SELECT position, count(*) AS clicks FROM led GROUP BY position),
-- Joined a page at a time: joined a product at a time, each product shown would be held in memory.
places AS (
  SELECT position, count(*) AS shown, count(*) FILTER (was_clicked) AS clicked
  FROM (
    SELECT unnest(range(before + 1, before + len(result_ids) + 1)) AS position,
      unnest(list_transform(result_ids, lambda id: list_contains(clicked_ids, id))) AS was_clicked
    FROM shown_pages
    LEFT JOIN (SELECT scope, search_key, list(product_id) AS clicked_ids FROM led GROUP BY scope, search_key)
      USING (scope, search_key)
    WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  )
  GROUP BY position
),
joined AS (
  SELECT coalesce(histogram.position, places.position) AS position,
    CASE WHEN (SELECT clicks FROM tracked) THEN coalesce(clicks, 0) END AS clicks,
    shown, CASE WHEN (SELECT clicks FROM tracked) THEN clicked END AS clicked
  FROM histogram FULL JOIN places ON histogram.position = places.position
)
SELECT position, clicks,
  clicks / nullif(sum(clicks) OVER (), 0) AS share,
  sum(clicks) OVER (ORDER BY position NULLS LAST) / nullif(sum(clicks) OVER (), 0) AS cumulative_share,
  shown, clicked, clicked / shown AS click_rate
FROM joined
ORDER BY position NULLS LAST
