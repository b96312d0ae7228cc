-- all_orders: One row per order of a scope, even if it was sent several times, by a reloaded page or by browser and backend.
--
-- What a server key says goes before what a browser key says. Among equals the event received first counts (by received_at,
-- then event_time, then event_id). Its amounts, lines, time and segment are the order's. The other events fill in missing
-- session_id, anonymous_id, user_id and consent, and the sources of lines, in the same order. Then come the corrections: the
-- latest value of each field (by event_time) replaces the order's. Bots' events are left out.
--
-- - state: live, pending or cancelled, by order_state(status); cancelled too once the whole order was cancelled.
-- - counts: whether the order is live and no test. The view orders has these only.
-- - sent_count: number of events that created the order.
-- - sent_by_count: number of different keys they came with.
-- - amounts_differ: whether these events have a different total or currency.
-- - corrected_count: number of corrections.
-- - items: sum of the quantities of goods.
-- - line_discount: sum of the lines' discounts; NULL if no line has one.
-- - goods_total: sum of quantity * unit_price - discount of the goods, without shipping, fees and tips (see is_goods).
-- - all_discounts: discount of the order and its lines. Where both are stated, the total tells whether the order's contains
--   those of its lines: the sum that comes closer to the total counts.
WITH sent AS NOT MATERIALIZED (
  SELECT {{columns OrderCreated}}, segment, date, scope,
    (key_kind IS DISTINCT FROM 'server', received_at, event_time, event_id) AS received_order
  FROM events_with_bots
  WHERE type = 'OrderCreated' AND is_bot IS DISTINCT FROM (type IS NOT NULL)
),
firsts AS (
  -- arg_min passes over rows where its first argument is NULL.
  SELECT scope, order_id,
    min(received_order) AS received_order,
    count(*) AS sent_count,
    count(DISTINCT key_id) AS sent_by_count,
    min(total) <> max(total) OR min(currency) <> max(currency) AS amounts_differ,
    arg_min(session_id, received_order) AS any_session_id,
    arg_min(anonymous_id, received_order) AS any_anonymous_id,
    arg_min(user_id, received_order) AS any_user_id,
    arg_min(consent_analytics, received_order) AS any_consent_analytics,
    arg_min(consent_personalization, received_order) AS any_consent_personalization
  FROM sent
  GROUP BY scope, order_id
),
later AS (
  SELECT scope, order_id,
    count(*) FILTER (WHERE corrects) AS corrected_count,
    min(event_time) FILTER (WHERE type = 'OrderCancelled' AND lines IS NULL) AS cancelled_at,
    arg_max(currency, told) FILTER (WHERE corrects) AS new_currency,
    arg_max(total, told) FILTER (WHERE corrects) AS new_total,
    arg_max(tax, told) FILTER (WHERE corrects) AS new_tax,
    arg_max(shipping, told) FILTER (WHERE corrects) AS new_shipping,
    arg_max(discount, told) FILTER (WHERE corrects) AS new_discount,
    arg_max(coupon_codes, told) FILTER (WHERE corrects) AS new_coupon_codes,
    arg_max(prices_include_tax, told) FILTER (WHERE corrects) AS new_prices_include_tax,
    arg_max(status, told) FILTER (WHERE corrects) AS new_status,
    arg_max(test, told) FILTER (WHERE corrects) AS new_test,
    arg_max(lines, told) FILTER (WHERE corrects) AS new_lines
  FROM (
    SELECT *, type = 'OrderCorrected' AS corrects, (event_time, received_at, event_id) AS told
    FROM events_with_bots
    WHERE type IN ('OrderCorrected', 'OrderCancelled')
  )
  GROUP BY scope, order_id
),
line_sources AS (
  SELECT scope, order_id, list(line ORDER BY received_order) AS sourced_lines
  FROM (
    SELECT scope, order_id, received_order, unnest(lines) AS line FROM sent
    SEMI JOIN (
      SELECT scope, order_id FROM firsts WHERE sent_count > 1
      UNION ALL SELECT scope, order_id FROM later WHERE new_lines IS NOT NULL
    ) USING (scope, order_id)
  )
  WHERE coalesce(line.search_id, line.recommendation_id, line.list_id) IS NOT NULL
  GROUP BY scope, order_id
),
told AS (
  SELECT sent.* EXCLUDE (received_order)
    REPLACE (
      any_session_id AS session_id,
      any_anonymous_id AS anonymous_id,
      any_user_id AS user_id,
      any_consent_analytics AS consent_analytics,
      any_consent_personalization AS consent_personalization,
      coalesce(new_currency, currency) AS currency,
      coalesce(new_total, total) AS total,
      coalesce(new_tax, tax) AS tax,
      coalesce(new_shipping, shipping) AS shipping,
      coalesce(new_discount, discount) AS discount,
      coalesce(new_coupon_codes, coupon_codes) AS coupon_codes,
      coalesce(new_prices_include_tax, prices_include_tax) AS prices_include_tax,
      coalesce(new_status, status) AS status,
      coalesce(new_test, test, false) AS test,
      CASE WHEN sourced_lines IS NULL THEN coalesce(new_lines, lines)
        ELSE list_transform(coalesce(new_lines, lines), lambda line: list_transform(
          [list_filter(sourced_lines, lambda known: known.product_id = line.product_id
            AND (known.variant_id = line.variant_id) IS NOT FALSE)[1]],
          lambda other: {{source of line or other}}
        )[1]) END AS lines
    ),
    CASE WHEN cancelled_at IS NULL THEN order_state(coalesce(new_status, status)) ELSE 'cancelled' END AS state,
    cancelled_at,
    sent_count, sent_by_count, amounts_differ, coalesce(corrected_count, 0) AS corrected_count
  FROM sent
  JOIN firsts USING (scope, order_id, received_order)
  LEFT JOIN later USING (scope, order_id)
  LEFT JOIN line_sources USING (scope, order_id)
),
summed AS (
  SELECT *,
    state = 'live' AND NOT test AS counts,
    coalesce(list_sum(list_transform(lines, lambda line: CASE WHEN is_goods(line.kind) THEN line.quantity END)), 0) AS items,
    list_sum(list_transform(lines, lambda line: line.discount)) AS line_discount,
    list_sum(list_transform(lines, lambda line: line_amount(line))) AS lines_total,
    coalesce(list_sum(list_transform(lines, lambda line: CASE WHEN is_goods(line.kind) THEN line_amount(line) END)), 0)
      AS goods_total
  FROM told
)
SELECT * EXCLUDE (lines_total),
  CASE
    WHEN discount IS NULL THEN line_discount
    WHEN line_discount IS NULL THEN discount
    WHEN discount_gap(total, lines_total + line_discount - discount, tax, shipping, prices_include_tax)
      < discount_gap(total, lines_total - discount, tax, shipping, prices_include_tax) THEN discount
    ELSE discount + line_discount
  END AS all_discounts
FROM summed
