-- search_overview: How search does as a whole.
-- group: search
-- row: the period, always one
-- period: searches begun in it, with all that came of them, also after its end
-- segment: of the search
-- columns: search_metrics
-- null: A rate without searches is NULL. Measures of clicks, positions, cart adds and orders are NULL where the shop sends no
--   such events at all around the period, and 0 where it does and none belongs to these searches.
-- needs: Search with phrase and resultsCount. Clicks: ProductClicked, best with searchId and position. Carts and purchases:
--   ProductAddedToCart, OrderCreated.
-- source: Mean reciprocal rank: E. M. Voorhees, "The TREC-8 Question Answering Track Report", 1999.
SELECT {{search_metrics}}
FROM search_outcomes
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
