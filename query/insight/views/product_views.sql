-- product_views: One row per product page seen, from wherever the visitor came.
SELECT {{columns ProductViewed}}, segment, date, scope
FROM events
WHERE type = 'ProductViewed'
