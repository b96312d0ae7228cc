-- judgments: How relevant each product is for a phrase, from what was shown and clicked, corrected for position.
-- group: search
-- row: a phrase and a product that was looked at often enough
-- period: results shown in it, with their clicks, also after its end
-- segment: of the search
-- param phrase TEXT: only this phrase, however it is written
-- param min_examined DOUBLE 10: fewest times that people looked at the product, as the model estimates them
-- param steps INTEGER 25: rounds of the estimate
-- param limit INTEGER 100000: most rows
-- columns: phrase, product_id, shown, clicks, average_position, examined, attractiveness, attractiveness_low, attractiveness_high, grade
--   phrase: the phrase, in lower case with single blanks
--   product_id: the product
--   shown: searches for the phrase that showed it
--   clicks: those searches that led to a click on it
--   average_position: mean position it was shown at
--   examined: times that people looked at it: sum over shown of the position's chance to be looked at
--   attractiveness: the chance of a click by somebody who looks at it
--   attractiveness_low: lower end of the 95 % Wilson interval of clicks in examined
--   attractiveness_high: upper end
--   grade: 0 to 3: attractiveness_low as a part of the largest of the phrase, times 3, rounded
-- null: No value is NULL. Without clicks around the period there are no rows. grade is 0 where no product of the phrase was clicked.
-- needs: Search with resultIds (page and pageSize beyond the first), or ProductsShown with searchId and position;
--   ProductClicked.
-- source: The position-based model: N. Craswell et al., "An experimental comparison of click position-bias models", WSDM 2008.
--   Its estimate by expectation maximization: A. Chuklin, I. Markov, M. de Rijke, "Click models for web search", 2015, section 4.3.
WITH {{click_model}}
SELECT phrase, product_id, shown, clicks, average_position, examined, attractiveness, attractiveness_low, attractiveness_high, grade
FROM judged
WHERE $phrase IS NULL OR phrase = normal_phrase($phrase)
ORDER BY phrase, grade DESC, attractiveness_low DESC, product_id
LIMIT $limit
