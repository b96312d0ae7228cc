-- lost_money: What searches without results or clicks would have earned, had they earned as much as their like.
-- group: search
-- row: a phrase, a reason, a currency, and whether prices include tax
-- period: searches begun in it; orders count whenever they were placed
-- segment: of the search
-- param min_searches INTEGER 3: fewest lost searches of a phrase
-- param limit INTEGER 1000: most rows
-- columns: phrase, reason, currency, prices_include_tax, searches, visitors, words, like_searches, like_revenue_per_search, lost
--   phrase: the phrase, in lower case with single blanks
--   reason: nothing_found (searches without results) or not_clicked (searches with results, where none of the phrase led to a
--     click or cart add)
--   currency: amounts of different currencies are never added
--   prices_include_tax: of the orders of its like; NULL if they do not say
--   searches: lost searches of the phrase
--   visitors: number of visitors who made them
--   words: words of the phrase: 1, 2, or 3 for three or more
--   like_searches: its like: searches of the period with results and as many words, except those of phrases that nobody clicks
--   like_revenue_per_search: revenue led by its like / like_searches
--   lost: searches * like_revenue_per_search
-- null: prices_include_tax as said. Phrases whose like earned nothing have no row. Neither have phrases without clicks if the
--   shop sends no ProductClicked around the period.
-- needs: Search with resultsCount, ProductClicked and OrderCreated; best with searchId on the order lines.
-- source: Own definition. It is an upper bound: not each such visitor would have found what the shop has.
WITH asked AS MATERIALIZED (
  SELECT scope, search_key, normal_phrase, visitor_id,
    least(3, len(string_split(normal_phrase, ' '))) AS words,
    CASE WHEN results_count = 0 THEN 'nothing_found'
      WHEN (SELECT clicks FROM tracked) AND sum(clicks + cart_adds) FILTER (WHERE results_count > 0) OVER same = 0
        THEN 'not_clicked' END AS reason
  FROM search_outcomes
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
  WINDOW same AS (PARTITION BY normal_phrase)
),
alike AS (SELECT words, count(*) AS like_searches FROM asked WHERE reason IS NULL GROUP BY words),
earned AS (
  SELECT words, currency, prices_include_tax, sum(line_total)::DOUBLE AS revenue
  FROM attribution JOIN (SELECT scope, search_key, words FROM asked WHERE reason IS NULL) USING (scope, search_key)
  WHERE kind = 'order_line'
  GROUP BY ALL
),
lost AS (
  SELECT normal_phrase AS phrase, reason, words, count(*) AS searches, count(DISTINCT scope || ' ' || visitor_id) AS visitors
  FROM asked
  WHERE reason IS NOT NULL
  GROUP BY ALL
  HAVING count(*) >= $min_searches
)
SELECT phrase, reason, currency, prices_include_tax, searches, visitors, words, like_searches,
  revenue / like_searches AS like_revenue_per_search,
  searches * revenue / like_searches AS lost
FROM lost JOIN alike USING (words) JOIN earned USING (words)
ORDER BY lost DESC, phrase, reason, currency, prices_include_tax
LIMIT $limit
