-- search_rising: Phrases searched more than in the period before, the most certain first.
-- group: search
-- row: a phrase with more searches than before, and a larger share of all searches
-- period: searches begun in it, and in the period of the same length before. Of a period that is not over, the part that
--   has passed is compared with as long a part of the period before
-- segment: of the search
-- param min_searches INTEGER 5: fewest searches now
-- param limit INTEGER 100: most rows
-- columns: phrase, searches, searches_before, change, growth, z
--   phrase: the phrase, in lower case with single blanks
--   searches: searches for it in the period
--   searches_before: searches for it in the period before
--   change: searches - searches_before
--   growth: searches / searches_before - 1
--   z: certainty of the rise of its share of all searches, in standard deviations; above 2 is seldom chance
-- null: growth is NULL for a new phrase. z is NULL if there were no searches before.
-- needs: Search with phrase.
-- source: Two-proportion z test with pooled variance, e.g. NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3.
WITH counted AS (
  SELECT normal_phrase AS phrase,
    count(*) FILTER (WHERE event_time >= $from) AS searches,
    count(*) FILTER (WHERE event_time < $before_to) AS searches_before
  FROM distinct_searches
  WHERE (event_time >= $from AND event_time < $to OR event_time >= $before AND event_time < $before_to)
    AND ($segment IS NULL OR segment = $segment)
  GROUP BY normal_phrase
),
totals AS (
  SELECT *, sum(searches) OVER () AS total, sum(searches_before) OVER () AS total_before FROM counted
),
shares AS (
  SELECT *, searches / total AS share, searches_before / nullif(total_before, 0) AS share_before,
    (searches + searches_before) / (total + total_before) AS pooled
  FROM totals
)
SELECT phrase, searches, searches_before,
  searches - searches_before AS change,
  searches / nullif(searches_before, 0) - 1 AS growth,
  (share - share_before) / nullif(sqrt(pooled * (1 - pooled) * (1 / nullif(total, 0) + 1 / nullif(total_before, 0))), 0) AS z
FROM shares
WHERE searches >= $min_searches AND searches > searches_before AND share > coalesce(share_before, 0)
ORDER BY z DESC NULLS LAST, searches DESC, phrase
LIMIT $limit
