-- interactions: One row per consenting visitor of a scope and product: number of clicks, cart adds and orders.
--
-- touches says which visitors and events count.
SELECT {{interaction_counts}}
FROM touches
GROUP BY scope, visitor_id, product_id
