-- events: Every stored event but those of bots.
--
-- The condition compares two columns, though type is never null: DuckDB 1.5 would move a test of user_agent alone into the
-- Parquet scan, where it runs once per row instead of once per entry of the dictionary.
SELECT * EXCLUDE (is_bot)
FROM events_with_bots
WHERE is_bot IS DISTINCT FROM (type IS NOT NULL)
