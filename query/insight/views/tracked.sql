-- tracked: One row: the kinds of facts the shop sends, to distinguish "none" from "not tracked".
SELECT
  EXISTS (FROM events WHERE type = 'Search') AS searches,
  EXISTS (FROM events WHERE type = 'ProductClicked') AS clicks,
  EXISTS (FROM events WHERE type = 'ProductAddedToCart') AS cart_adds,
  EXISTS (FROM events WHERE type = 'OrderCreated') AS orders,
  EXISTS (FROM events WHERE type = 'ProductClicked' AND position IS NOT NULL) AS positions,
  EXISTS (FROM events WHERE type = 'ProductsShown') AS shown,
  EXISTS (FROM events WHERE type = 'ProductViewed') AS product_views,
  EXISTS (FROM events WHERE type = 'ProductRemovedFromCart') AS cart_removals,
  EXISTS (FROM events WHERE type = 'CheckoutStarted') AS checkouts
