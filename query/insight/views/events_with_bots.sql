-- events_with_bots: Every stored event, with a flag for bots and the scope of its ids.
--
-- - is_bot: whether the User-Agent is a bot's. A User-Agent can claim anything, so the flag is a hint. The lake drops nothing.
--   What a server key sends is no bot. HTTP libraries do not count as bots, because apps send with them.
-- - scope: what the ids of orders, searches, visits, visitors and customers are unique in. That is the segment, or * if the
--   tenant's segments share their ids (spor shared-ids).
SELECT *, is_bot_agent(user_agent) AND key_kind IS DISTINCT FROM 'server' AS is_bot, id_scope(segment) AS scope
FROM events_all
