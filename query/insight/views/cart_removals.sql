-- cart_removals: One row per product taken out of the cart, or lowered in quantity.
SELECT {{columns ProductRemovedFromCart}}, segment, date, scope
FROM events
WHERE type = 'ProductRemovedFromCart'
