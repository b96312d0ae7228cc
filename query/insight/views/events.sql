-- events: Every stored event except those of bots.
--
-- The condition compares two columns, although type is never null. DuckDB 1.5 would move a test of only user_agent into the
-- Parquet scan. There it runs once per row instead of once per entry of the dictionary.
SELECT * EXCLUDE (is_bot)
FROM events_with_bots
WHERE is_bot IS DISTINCT FROM (type IS NOT NULL)
