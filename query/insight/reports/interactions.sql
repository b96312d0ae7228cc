-- interactions: Clicks, cart adds and orders of each visitor and product, for recommenders, with consent to personalization only.
-- group: personalization
-- row: a scope, a visitor and a product
-- period: clicks, cart adds and orders in it; consent and identity from all stored events, so that a later refusal counts
-- history: all
-- segment: of the event
-- columns: interaction_counts
-- null: No value is NULL. A visitor who never stated consent, or refused later, has no row.
-- needs: consent.personalization = true on the events; anonymousId, userId where known.
-- source: Implicit feedback: Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
SELECT {{interaction_counts}}
FROM touches
WHERE event_time >= $from AND event_time < $to AND ($segment IS NULL OR segment = $segment)
GROUP BY scope, visitor_id, product_id
ORDER BY scope, visitor_id, product_id
