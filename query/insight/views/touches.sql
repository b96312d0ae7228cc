-- touches: One row per click, cart add and order line of visitors who agreed to personalization.
--
-- An event needs consent.personalization = true. Consent that was never stated is no consent. A visitor whose latest stated
-- consent is a refusal is left out entirely. A refusal at the same moment wins. Orders count once.
WITH refused AS (
  SELECT scope, visitor_id
  FROM activity
  GROUP BY scope, visitor_id
  HAVING max(event_time) FILTER (WHERE NOT consent_personalization)
    >= coalesce(max(event_time) FILTER (WHERE consent_personalization), TIMESTAMPTZ '-infinity')
),
agreed AS (
  SELECT scope, visitor_id, session_key, product_id, type, quantity, NULL::VARCHAR AS order_id, event_time, segment
  FROM activity
  WHERE type IN ('ProductClicked', 'ProductAddedToCart') AND consent_personalization
  UNION ALL
  SELECT scope, visitor_id, session_key, product_id, 'OrderCreated', quantity, order_id, event_time, segment
  FROM order_lines JOIN buyers USING (scope, order_id)
  WHERE consent_personalization AND product_id IS NOT NULL
)
SELECT * FROM agreed ANTI JOIN refused USING (scope, visitor_id)
