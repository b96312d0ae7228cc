-- checkouts: One row per checkout begun; one that is begun again has a row again.
SELECT {{columns CheckoutStarted}}, segment, date, scope
FROM events
WHERE type = 'CheckoutStarted'
