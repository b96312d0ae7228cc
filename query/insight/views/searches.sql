-- searches: One row per Search event, so one per page of results shown.
--
-- search_key tells searches apart: it is search_id where the shop sent one, else event_id. A search whose further pages, or
-- whose results after "back", are sent under the same search_id is one search: count(DISTINCT search_key), or the view
-- search_outcomes. normal_phrase is the phrase in lower case with single blanks.
SELECT {{columns Search}}, segment, date,
  coalesce(search_id, event_id) AS search_key,
  normal_phrase(phrase) AS normal_phrase
FROM events
WHERE type = 'Search'
