-- exposures: One row per event and experiment that it names: the variant that a visitor had.
--
-- The visit and the visitor are those of activity. A visitor's events may name several variants of one experiment, by a
-- second device or a mistake of the shop. The reports of experiments leave such visitors out, and count them.
SELECT event_id, event_time, date, segment, scope, session_key, visitor_id, named.id AS experiment, named.variant
FROM (
  SELECT event_id, event_time, date, segment, scope, session_key, visitor_id, unnest(experiments) AS named
  FROM activity
  WHERE experiments IS NOT NULL
)
