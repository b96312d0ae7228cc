-- activity: Every event except those of bots, with its visit (session_key) and its visitor (visitor_id).
--
-- The visit and the visitor are those of the scope (see events_with_bots).
--
-- - session_key: the event's session_id; for an event without one, see sessionless.
-- - visitor_id: user:<user_id> if identity knows the event's anonymous_id, else anon:<anonymous_id>.
-- - normal_phrase: the phrase in lower case with single blanks.
--
-- An event without anonymous_id takes the one of its session, if another event of the session has one. Otherwise its
-- visitor_id is user:<user_id> with consent.personalization, and session:<session_id> without.
WITH phrased AS NOT MATERIALIZED (
  -- Before any join, DuckDB normalizes each phrase once per dictionary of a Parquet file instead of once per row.
  SELECT *, normal_phrase(phrase) AS normal_phrase FROM events
  -- What a backend says of an order later is no activity of a visitor.
  WHERE type NOT IN ('OrderCorrected', 'OrderCancelled', 'OrderRefunded')
),
visits AS (
  SELECT *, session_id AS session_key FROM phrased WHERE session_id IS NOT NULL
  UNION ALL
  SELECT phrased.*, session_key FROM phrased JOIN sessionless USING (event_id) WHERE session_id IS NULL
)
SELECT visits.*,
  coalesce(
    'user:' || known.user_id,
    'anon:' || coalesce(visits.anonymous_id, session_visitors.anonymous_id),
    CASE WHEN visits.consent_personalization THEN 'user:' || visits.user_id END,
    'session:' || visits.session_id
  ) AS visitor_id
FROM visits
-- Written so that both are hash joins: a condition on the left side alone would make the first a nested loop.
LEFT JOIN session_visitors
  ON session_visitors.scope = visits.scope
  AND session_visitors.session_id = CASE WHEN visits.anonymous_id IS NULL THEN visits.session_id END
LEFT JOIN identity AS known
  ON known.is_current AND known.scope = visits.scope AND known.anonymous_id = coalesce(visits.anonymous_id, session_visitors.anonymous_id)
