-- phrase_products_daily: Products shown for a phrase by position, and their clicks, by day and segment.
-- row: a UTC day, a segment, a phrase, a product and a position it was shown at
-- around: 8
-- columns:
--   date date: the UTC day of the page of results
--   segment string: the segment of the search
--   phrase string: the phrase, in lower case with single blanks
--   product_id string: the product
--   position long: the position, from 1, across pages
--   shown long: searches that showed it there, by resultIds
--   clicks long: those searches that led to a click on it
WITH clicked AS (SELECT DISTINCT scope, search_key, product_id, true AS clicked FROM attribution WHERE kind = 'click')
SELECT date, segment, normal_phrase AS phrase, product_id, position, count(*) AS shown, count(clicked) AS clicks
FROM impressions LEFT JOIN clicked USING (scope, search_key, product_id)
WHERE date >= $first AND date <= $last
GROUP BY ALL
