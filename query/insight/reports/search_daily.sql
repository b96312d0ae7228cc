-- search_daily: Measures of search by day.
-- group: search
-- row: a day of the period, including days without searches
-- period: searches begun in it, with their outcome, also after its end
-- segment: of the search
-- param phrase TEXT: only searches for this phrase, however it is written
-- columns: date, search_metrics
--   date: the day in the zone
-- null: As in search_overview. A day without searches has searches 0 and NULL rates.
-- needs: As search_overview.
-- source: As search_overview.
WITH days AS (
  SELECT unnest(generate_series(
    local_day($from, $zone), local_day($to - INTERVAL 1 MICROSECOND, $zone), INTERVAL 1 DAY
  ))::DATE AS date
),
asked AS (
  SELECT * REPLACE (local_day(event_time, $zone) AS date) FROM search_outcomes
  WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
    AND ($phrase IS NULL OR normal_phrase = normal_phrase($phrase))
)
SELECT date, {{search_metrics}}
FROM days LEFT JOIN asked USING (date)
GROUP BY date
ORDER BY date
