-- search_outcomes: One row per search (see distinct_searches) with its outcome, by attribution.
--
-- - clicks, cart_adds, order_lines: number of each that the search led to, at any time.
-- - inferred_clicks: those of the clicks that are not given.
-- - first_click_position: position of the earliest click with one; the smallest of several at one moment.
-- - best_position: smallest position of any click.
WITH outcomes AS (
  SELECT scope, search_key,
    count(*) FILTER (WHERE kind = 'click') AS clicks,
    count(*) FILTER (WHERE kind = 'click' AND method = 'inferred') AS inferred_clicks,
    -- The earliest time and at it the smallest position as one number, which is far cheaper than a minimum of pairs.
    min(epoch_us(event_time)::HUGEINT * 10_000_000_000 + position) FILTER (WHERE kind = 'click') AS first_click,
    min(position) FILTER (WHERE kind = 'click') AS best_position,
    count(*) FILTER (WHERE kind = 'cart') AS cart_adds,
    count(*) FILTER (WHERE kind = 'order_line') AS order_lines
  FROM attribution
  WHERE search_key IS NOT NULL
  GROUP BY scope, search_key
)
SELECT distinct_searches.*,
  coalesce(clicks, 0) AS clicks, coalesce(inferred_clicks, 0) AS inferred_clicks,
  (first_click % 10_000_000_000)::INTEGER AS first_click_position, best_position,
  coalesce(cart_adds, 0) AS cart_adds, coalesce(order_lines, 0) AS order_lines
FROM distinct_searches LEFT JOIN outcomes USING (scope, search_key)
