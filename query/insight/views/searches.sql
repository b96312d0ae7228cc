-- searches: One row per Search event, so one per page of results shown.
--
-- search_key identifies a search of a scope: it is search_id if the shop sent one, else event_id. Further pages of a search, and its
-- results after "back", have the same search_id and are the same search. To count searches, use count(DISTINCT (scope, search_key)) or
-- the view search_outcomes. The column normal_phrase is the phrase in lower case with single blanks.
SELECT {{columns Search}}, segment, date, scope,
  coalesce(search_id, event_id) AS search_key,
  normal_phrase(phrase) AS normal_phrase
FROM events
WHERE type = 'Search'
