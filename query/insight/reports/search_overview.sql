-- search_overview: Measures of search as a whole.
-- group: search
-- row: the period, always one
-- period: searches begun in it, with their outcome, also after its end
-- segment: of the search
-- param phrase TEXT: only searches for this phrase, however it is written
-- columns: search_metrics
-- null: A rate without searches is NULL. Measures of clicks, positions, cart adds and orders are NULL if the shop sends no
--   such events around the period. They are 0 if it does, but none belongs to these searches.
-- needs: Search with phrase and resultsCount. For clicks also ProductClicked, best with searchId and position.
--   For carts and purchases also ProductAddedToCart and OrderCreated.
-- source: Mean reciprocal rank: E. M. Voorhees, "The TREC-8 Question Answering Track Report", 1999.
SELECT {{search_metrics}}
FROM search_outcomes
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  AND ($phrase IS NULL OR normal_phrase = normal_phrase($phrase))
