-- phrase_impressions: Impressions and clicks of each product in the results of a phrase, by what was really seen.
-- group: search
-- row: a phrase and a product shown in its results
-- period: impressions of it, by their first time, with their clicks, also after its end
-- segment: of the impression
-- param phrase TEXT: only this phrase, however it is written
-- param min_shown INTEGER 1: fewest impressions
-- param limit INTEGER 10000: most rows
-- columns: phrase, product_id, impression_metrics
--   phrase: the phrase, in lower case with single blanks
--   product_id: the product
-- null: As in product_impressions. Impressions of a search that is not among the days around the period are left out.
-- needs: Search with searchId, ProductsShown with it, ProductClicked.
-- source: Wilson score interval: E. B. Wilson, JASA 22 (1927), 209–212.
WITH asked AS (SELECT scope, search_key AS place, normal_phrase FROM distinct_searches),
seen AS (
  SELECT normal_phrase, product_id, position, was_clicked
  FROM seen_products JOIN asked USING (scope, place)
  WHERE source = 'search' AND event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
    AND ($phrase IS NULL OR normal_phrase = normal_phrase($phrase))
)
SELECT normal_phrase AS phrase, product_id, {{impression_metrics}}
FROM seen
GROUP BY phrase, product_id
HAVING count(*) >= $min_shown
ORDER BY shown DESC, phrase, product_id
LIMIT $limit
