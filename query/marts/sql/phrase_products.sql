-- phrase_products: Products that people want for a phrase, corrected for the position they were shown at (COEC).
-- row: a phrase and a product shown for it
-- reads: phrase_products_daily
-- columns:
--   phrase string: the phrase, in lower case with single blanks
--   product_id string: the product
--   shown long: searches for the phrase that showed it
--   clicks long: those searches that led to a click on it
--   expected_clicks double: sum over shown of the position's click rate, over all phrases and products
--   coec double: clicks / expected_clicks; 2 means clicked twice as often as usual at these positions; NULL if none is expected
--   coec_smoothed double: (clicks + 1) / (expected_clicks + 1), steadier if the product was shown seldom
--   average_position double: mean position it was shown at
WITH cells AS (
  SELECT phrase, product_id, position, sum(shown) AS shown, sum(clicks) AS clicks FROM phrase_products_daily GROUP BY ALL
),
rated AS (
  SELECT *, sum(clicks) OVER place / sum(shown) OVER place AS click_rate
  FROM cells
  WINDOW place AS (PARTITION BY position)
)
SELECT phrase, product_id, sum(shown) AS shown, sum(clicks) AS clicks,
  sum(shown * click_rate) AS expected_clicks,
  sum(clicks) / nullif(sum(shown * click_rate), 0) AS coec,
  (sum(clicks) + 1) / (sum(shown * click_rate) + 1) AS coec_smoothed,
  sum(shown * position) / sum(shown) AS average_position
FROM rated
GROUP BY ALL
ORDER BY phrase, product_id
