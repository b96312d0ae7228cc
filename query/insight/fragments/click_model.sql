-- click_model: Judgments of products for phrases, by the position-based model.
clicked AS (
  SELECT scope, search_key, list(product_id) AS clicked_ids
  FROM attribution
  WHERE kind = 'click' AND search_key IS NOT NULL
  GROUP BY scope, search_key
),
listed AS (
  SELECT scope, search_key, normal_phrase, result_ids, range(before + 1, before + len(result_ids) + 1) AS positions
  FROM shown_pages
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
),
-- Of searches that sent no resultIds, the products that were seen.
seen AS (
  SELECT scope, search_key, normal_phrase, list(product_id ORDER BY position, product_id) AS result_ids,
    list(position ORDER BY position, product_id) AS positions
  FROM (
    SELECT scope, search_key, product_id, min(position)::BIGINT AS position
    FROM shown_products
    WHERE source = 'search' AND position IS NOT NULL
    GROUP BY ALL
  )
  JOIN (
    SELECT scope, search_key, normal_phrase FROM distinct_searches
    WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  ) USING (scope, search_key)
  ANTI JOIN shown_pages USING (scope, search_key)
  GROUP BY scope, search_key, normal_phrase
),
-- Joined a page at a time: joined a product at a time, each product shown would be held in memory.
cells AS MATERIALIZED (
  SELECT phrase, product_id, position, count(*) AS shown, count(*) FILTER (was_clicked) AS clicks
  FROM (
    SELECT normal_phrase AS phrase, unnest(result_ids) AS product_id, unnest(positions) AS position,
      unnest(list_transform(result_ids, lambda id: coalesce(list_contains(clicked_ids, id), false))) AS was_clicked
    FROM (FROM listed UNION ALL FROM seen) LEFT JOIN clicked USING (scope, search_key)
    WHERE (SELECT clicks FROM tracked)
  )
  GROUP BY ALL
),
-- Numbers instead of texts, because each round sorts by them.
pairs AS MATERIALIZED (
  SELECT phrase, product_id, row_number() OVER () AS pair FROM (SELECT DISTINCT phrase, product_id FROM cells)
),
-- One row for each cell in every round: the chance that a position is looked at, and that a product then attracts.
fitted AS (
  WITH RECURSIVE rounds AS (
    SELECT 0 AS step, pair, position, shown, clicks, 0.5::DOUBLE AS looks, 0.5::DOUBLE AS attracts
    FROM cells JOIN pairs USING (phrase, product_id)
    UNION ALL
    SELECT step + 1, pair, position, shown, clicks,
      sum(clicks + (shown - clicks) * looks * (1 - attracts) / (1 - looks * attracts)) OVER place / sum(shown) OVER place,
      sum(clicks + (shown - clicks) * attracts * (1 - looks) / (1 - looks * attracts)) OVER product / sum(shown) OVER product
    FROM rounds
    WHERE step < $steps
    WINDOW place AS (PARTITION BY position), product AS (PARTITION BY pair)
  )
  SELECT * FROM rounds WHERE step = $steps
),
looked AS (
  SELECT phrase, product_id,
    sum(shown)::BIGINT AS shown,
    sum(clicks)::BIGINT AS clicks,
    sum(shown::HUGEINT * position) / sum(shown) AS average_position,
    -- The model knows looks and attraction only up to a factor. The position that is looked at most is looked at always.
    sum(shown * looks / nullif(most_looks, 0)) AS examined
  FROM (SELECT *, max(looks) OVER () AS most_looks FROM fitted)
  JOIN pairs USING (pair)
  GROUP BY phrase, product_id
),
bounded AS (
  SELECT *, least(1, clicks / examined) AS attractiveness,
    wilson_low(least(clicks, examined), examined) AS attractiveness_low,
    wilson_high(least(clicks, examined), examined) AS attractiveness_high
  FROM looked
  WHERE examined >= $min_examined
),
judged AS MATERIALIZED (
  SELECT *, coalesce(round(3 * attractiveness_low / nullif(max(attractiveness_low) OVER (PARTITION BY phrase), 0)), 0)::INTEGER AS grade
  FROM bounded
)
