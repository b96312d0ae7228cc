-- events_with_bots: Every stored event, with a flag for those whose User-Agent is a bot's.
--
-- A User-Agent says only what it wants to say, so a flag is a hint: nothing is dropped from the lake. HTTP libraries are no
-- bots here, because a shop's backend and apps send with them.
SELECT *, is_bot_agent(user_agent) AS is_bot
FROM events_all
