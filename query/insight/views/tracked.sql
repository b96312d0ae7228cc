-- tracked: One row: which kinds of facts the shop sends at all, so that "none" and "not tracked" are told apart.
SELECT
  EXISTS (FROM events WHERE type = 'Search') AS searches,
  EXISTS (FROM events WHERE type = 'ProductClicked') AS clicks,
  EXISTS (FROM events WHERE type = 'ProductAddedToCart') AS cart_adds,
  EXISTS (FROM events WHERE type = 'OrderCreated') AS orders,
  EXISTS (FROM events WHERE type = 'ProductClicked' AND position IS NOT NULL) AS positions
