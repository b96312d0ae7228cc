-- tracked: One row: which kinds of facts the shop sends at all, so that "none" and "not tracked" are told apart.
SELECT
  coalesce(bool_or(type = 'Search'), false) AS searches,
  coalesce(bool_or(type = 'ProductClicked'), false) AS clicks,
  coalesce(bool_or(type = 'ProductAddedToCart'), false) AS cart_adds,
  coalesce(bool_or(type = 'OrderCreated'), false) AS orders,
  coalesce(bool_or(type = 'ProductClicked' AND position IS NOT NULL), false) AS positions
FROM events
