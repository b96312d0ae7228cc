-- catalogue_history: One row per version of a product in the catalogue, with the time it was valid: from valid_from until before
-- valid_to.
--
-- valid_to is NULL for the newest version. A version with removed says that the product left the catalogue. Its other columns
-- are those it had. Of two versions from the same time, the later import counts. A product belongs to a scope (see
-- events_with_bots): if segments share their ids, they share the catalogue. properties is JSON.
WITH versions AS (
  SELECT *, id_scope(segment) AS scope FROM catalogue_all
),
latest AS (
  SELECT * FROM versions
  QUALIFY row_number() OVER (PARTITION BY scope, product_id, valid_from ORDER BY imported_at DESC, segment) = 1
)
SELECT segment, scope, * EXCLUDE (segment, scope),
  lead(valid_from) OVER (PARTITION BY scope, product_id ORDER BY valid_from) AS valid_to
FROM latest
