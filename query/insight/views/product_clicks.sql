-- product_clicks: One row per product opened from a list, a search or a recommendation.
SELECT {{columns ProductClicked}}, segment, date, scope
FROM events
WHERE type = 'ProductClicked'
