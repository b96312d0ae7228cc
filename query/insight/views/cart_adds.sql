-- cart_adds: One row per product put in the cart.
SELECT {{columns ProductAddedToCart}}, segment, date, scope
FROM events
WHERE type = 'ProductAddedToCart'
