-- attribution: The source of each click, cart add and order line: one row each, with the method of attribution.
--
--   kind is click, cart or order_line. source is search, recommendation, list or none. search_key names the search, list_id the
--   list and recommendation_id the recommendation. If an event names several, the order is search_id, recommendation_id, list_id.
--   method is
--     given     the event itself carries the search_id, recommendation_id or list_id;
--     inferred  the event says so, with the rule sender; or it carries none, and the rule in the column rule found the source;
--     none      no source was found.
--   Rules, in the order they are tried. "The visitor" is visitor_id of activity in one scope, "last" is the latest at or before the event:
--     click       1. listed: the visitor's last search that lists the product in resultIds, at most 30 minutes before.
--                 2. last_search: the visitor's last search, at most 30 minutes before, if it sent no resultIds. If it sent
--                    them without the product, the click came from elsewhere.
--     cart        1. click: the last click on the product in the same visit; the cart add has the click's source.
--                 2. without such a click, the rules of clicks.
--     order_line  1. cart: the visitor's last cart add of the product, at most 7 days before; the line has its source.
--                 2. click: without such a cart add, the visitor's last click on the product, at most 7 days before.
--
-- click_event_id and cart_event_id name the click and cart add of the chain by these rules, for given rows too. Only order
-- lines have an amount: line_total in currency. Orders count once (see orders), and lines of shipping, fees and tips not at all. Times are compared in microseconds, because
-- intervals between TIMESTAMPTZ depend on the reader's time zone.
WITH all_clicks AS NOT MATERIALIZED (
  SELECT event_id, event_time, date, segment, scope, session_key, visitor_id, product_id, variant_id, position,
    search_id, recommendation_id, list_id, inferred
  FROM activity
  WHERE type = 'ProductClicked'
),
-- What the rules ask of clicks, read once; the rows of the answer are read again below, with the columns it needs.
clicks AS MATERIALIZED (
  SELECT event_id, event_time, scope, session_key, visitor_id, product_id, search_id, recommendation_id, list_id FROM all_clicks
),
carts AS MATERIALIZED (
  SELECT event_id, event_time, date, segment, scope, session_key, visitor_id, product_id, variant_id, quantity,
    search_id, recommendation_id, list_id, inferred, coalesce(search_id, recommendation_id, list_id) IS NOT NULL AS own
  FROM activity
  WHERE type = 'ProductAddedToCart'
),
-- Cart adds with the last click on the product in the visit. Of events at one moment the largest event_id is taken, here
-- and below, so that the same events always give the same answer.
visit_clicks AS (
  SELECT scope, session_key, product_id, event_time, arg_max(
      {'event_id': event_id, 'search_id': search_id, 'recommendation_id': recommendation_id, 'list_id': list_id}, event_id
    ) AS click
  FROM clicks SEMI JOIN (SELECT DISTINCT scope, session_key, product_id FROM carts)
  USING (scope, session_key, product_id)
  GROUP BY ALL
),
clicked_carts AS (
  SELECT carts.*, click
  FROM carts ASOF LEFT JOIN visit_clicks
    ON visit_clicks.scope = carts.scope AND visit_clicks.session_key = carts.session_key AND visit_clicks.product_id = carts.product_id
    AND visit_clicks.event_time <= carts.event_time
),
-- Events that name no source, nor does the click before them: what searches say.
unnamed AS (
  SELECT event_id, scope, visitor_id, product_id, event_time FROM clicks
  WHERE search_id IS NULL AND recommendation_id IS NULL AND list_id IS NULL
  UNION ALL
  SELECT event_id, scope, visitor_id, product_id, event_time FROM clicked_carts WHERE NOT own AND click IS NULL
),
-- Only searches of the same or the previous half hour can be at most 30 minutes before: a hash join, not a product of times.
half_hours AS (
  SELECT DISTINCT scope, visitor_id, unnest([half_hour - 1, half_hour]) AS half_hour
  FROM (SELECT scope, visitor_id, epoch_us(event_time) // 1_800_000_000 AS half_hour FROM unnamed)
),
nearby AS (
  SELECT scope, visitor_id, event_time, coalesce(search_id, event_id) AS search_key, result_ids
  FROM (SELECT *, epoch_us(event_time) // 1_800_000_000 AS half_hour FROM activity WHERE type = 'Search')
  SEMI JOIN half_hours USING (scope, visitor_id, half_hour)
),
listed AS (
  SELECT scope, visitor_id, product_id, event_time, max(search_key) AS search_key
  FROM (SELECT scope, visitor_id, event_time, search_key, unnest(result_ids) AS product_id FROM nearby)
  SEMI JOIN unnamed USING (scope, visitor_id, product_id)
  GROUP BY ALL
),
latest AS (
  SELECT scope, visitor_id, event_time, max(search_key) AS search_key, bool_and(result_ids IS NULL) AS unlisted
  FROM nearby
  GROUP BY ALL
),
found AS (
  SELECT event_id, search_key, rule
  FROM (
    SELECT unnamed.event_id,
      CASE
        WHEN epoch_us(unnamed.event_time) - epoch_us(listed.event_time) <= 1_800_000_000 THEN listed.search_key
        WHEN latest.unlisted AND epoch_us(unnamed.event_time) - epoch_us(latest.event_time) <= 1_800_000_000
          THEN latest.search_key
      END AS search_key,
      CASE WHEN epoch_us(unnamed.event_time) - epoch_us(listed.event_time) <= 1_800_000_000 THEN 'listed'
        ELSE 'last_search' END AS rule
    FROM unnamed
    ASOF LEFT JOIN listed
      ON listed.scope = unnamed.scope AND listed.visitor_id = unnamed.visitor_id AND listed.product_id = unnamed.product_id
      AND listed.event_time <= unnamed.event_time
    ASOF LEFT JOIN latest
      ON latest.scope = unnamed.scope AND latest.visitor_id = unnamed.visitor_id AND latest.event_time <= unnamed.event_time
  )
  WHERE search_key IS NOT NULL
),
sourced_clicks AS NOT MATERIALIZED (
  SELECT 'click' AS kind, * EXCLUDE (search_id, inferred), search_id AS search_key,
    CASE WHEN inferred THEN 'inferred' ELSE 'given' END AS method, CASE WHEN inferred THEN 'sender' END AS rule,
    event_id AS click_event_id, NULL::VARCHAR AS cart_event_id
  FROM all_clicks
  WHERE coalesce(search_id, recommendation_id, list_id) IS NOT NULL
  UNION ALL
  SELECT 'click' AS kind, all_clicks.* EXCLUDE (search_id, inferred), search_key,
    CASE WHEN search_key IS NULL THEN 'none' ELSE 'inferred' END AS method, rule,
    event_id AS click_event_id, NULL::VARCHAR AS cart_event_id
  FROM all_clicks LEFT JOIN found USING (event_id)
  WHERE search_id IS NULL AND recommendation_id IS NULL AND list_id IS NULL
),
sourced_carts AS (
  SELECT 'cart' AS kind, carts.* EXCLUDE (search_id, recommendation_id, list_id, inferred, click, own),
    CASE WHEN own THEN carts.list_id ELSE click.list_id END AS list_id,
    CASE WHEN own THEN carts.recommendation_id ELSE click.recommendation_id END AS recommendation_id,
    coalesce(carts.search_id, CASE WHEN NOT own THEN coalesce(click.search_id, found.search_key) END) AS search_key,
    CASE WHEN own THEN CASE WHEN inferred THEN 'inferred' ELSE 'given' END
      WHEN coalesce(click.search_id, click.recommendation_id, click.list_id, found.search_key) IS NOT NULL THEN 'inferred'
      ELSE 'none' END AS method,
    CASE WHEN own THEN CASE WHEN inferred THEN 'sender' END
      WHEN click IS NULL THEN found.rule
      WHEN coalesce(click.search_id, click.recommendation_id, click.list_id, found.search_key) IS NOT NULL THEN 'click'
    END AS rule,
    click.event_id AS click_event_id, carts.event_id AS cart_event_id
  FROM clicked_carts AS carts LEFT JOIN found ON found.event_id = coalesce(click.event_id, carts.event_id)
),
lines AS (
  SELECT event_id, event_time, date, segment, scope, session_key, visitor_id, product_id, variant_id, quantity, search_id,
    recommendation_id, list_id, inferred, coalesce(search_id, recommendation_id, list_id) IS NOT NULL AS own,
    order_id, line_number, currency, prices_include_tax, line_total
  FROM order_lines JOIN buyers USING (scope, order_id)
  WHERE is_goods(kind)
),
-- Order lines with the visitor's last cart add of the product, and where there is none, with the last click.
visitor_carts AS (
  SELECT scope, visitor_id, product_id, event_time, arg_max(
      {'search_key': search_key, 'recommendation_id': recommendation_id, 'list_id': list_id,
       'click_event_id': click_event_id, 'cart_event_id': cart_event_id}, event_id
    ) AS step
  FROM sourced_carts SEMI JOIN lines USING (scope, visitor_id, product_id)
  GROUP BY ALL
),
carted_lines AS (
  SELECT lines.*, CASE WHEN epoch_us(lines.event_time) - epoch_us(visitor_carts.event_time) <= 604_800_000_000 THEN step END AS step
  FROM lines ASOF LEFT JOIN visitor_carts
    ON visitor_carts.scope = lines.scope AND visitor_carts.visitor_id = lines.visitor_id AND visitor_carts.product_id = lines.product_id
    AND visitor_carts.event_time <= lines.event_time
),
uncarted_lines AS (SELECT * EXCLUDE (step) FROM carted_lines WHERE step IS NULL),
visitor_clicks AS (
  SELECT scope, visitor_id, product_id, event_time, arg_max(
      {'search_key': coalesce(search_id, search_key), 'recommendation_id': recommendation_id, 'list_id': list_id,
       'click_event_id': event_id, 'cart_event_id': NULL::VARCHAR}, event_id
    ) AS step
  FROM (FROM clicks SEMI JOIN (SELECT DISTINCT scope, visitor_id, product_id FROM uncarted_lines)
    USING (scope, visitor_id, product_id))
  LEFT JOIN found USING (event_id)
  GROUP BY ALL
),
stepped_lines AS (
  SELECT *, 'cart' AS step_kind FROM carted_lines WHERE step IS NOT NULL
  UNION ALL
  SELECT lines.*, CASE WHEN epoch_us(lines.event_time) - epoch_us(visitor_clicks.event_time) <= 604_800_000_000 THEN step END AS step,
    'click' AS step_kind
  FROM uncarted_lines AS lines ASOF LEFT JOIN visitor_clicks
    ON visitor_clicks.scope = lines.scope AND visitor_clicks.visitor_id = lines.visitor_id AND visitor_clicks.product_id = lines.product_id
    AND visitor_clicks.event_time <= lines.event_time
),
sourced_lines AS (
  SELECT 'order_line' AS kind, * EXCLUDE (search_id, recommendation_id, list_id, inferred, own, step, step_kind),
    CASE WHEN own THEN search_id ELSE step.search_key END AS search_key,
    CASE WHEN own THEN recommendation_id ELSE step.recommendation_id END AS recommendation_id,
    CASE WHEN own THEN list_id ELSE step.list_id END AS list_id,
    CASE WHEN own THEN CASE WHEN inferred THEN 'inferred' ELSE 'given' END
      WHEN coalesce(step.search_key, step.recommendation_id, step.list_id) IS NOT NULL THEN 'inferred'
      ELSE 'none' END AS method,
    CASE WHEN own THEN CASE WHEN inferred THEN 'sender' END
      WHEN coalesce(step.search_key, step.recommendation_id, step.list_id) IS NOT NULL THEN step_kind END AS rule,
    step.click_event_id AS click_event_id,
    step.cart_event_id AS cart_event_id
  FROM stepped_lines
)
SELECT kind, event_id, line_number, order_id, event_time, date, segment, scope, session_key, visitor_id, product_id, variant_id,
  quantity, position, currency, prices_include_tax, line_total,
  CASE WHEN search_key IS NOT NULL THEN 'search'
    WHEN recommendation_id IS NOT NULL THEN 'recommendation'
    WHEN list_id IS NOT NULL THEN 'list'
    ELSE 'none' END AS source,
  search_key, recommendation_id, list_id, method, rule, click_event_id, cart_event_id
FROM (FROM sourced_clicks UNION ALL BY NAME FROM sourced_carts UNION ALL BY NAME FROM sourced_lines)
