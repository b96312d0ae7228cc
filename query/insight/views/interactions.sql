-- interactions: One row per visitor and product: how often clicked, put in the cart and bought. Visitors who agreed only.
--
-- Who is here, and with which events, is said in touches.
SELECT {{interaction_counts}}
FROM touches
GROUP BY visitor_id, product_id
