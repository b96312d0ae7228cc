-- events_with_bots: Every stored event, with a flag for bots, by User-Agent.
--
-- A User-Agent can claim anything, so the flag is a hint. The lake drops nothing. HTTP libraries do not count as bots, because
-- a shop's backend and apps send with them.
SELECT *, is_bot_agent(user_agent) AS is_bot
FROM events_all
