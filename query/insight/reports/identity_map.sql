-- identity_map: The customer behind an anonymous visitor, from events with both ids and consent.
-- group: personalization
-- row: a scope, an anonymousId and a userId
-- period: links seen in it; consent from all stored events, so that a later refusal counts
-- history: all
-- columns: scope, anonymous_id, user_id, first_seen, last_seen, events, is_current, users
--   scope: the segment of the ids; * if the tenant's segments share them
--   anonymous_id: the visitor
--   user_id: the customer
--   first_seen: first event with both ids and consent.personalization = true
--   last_seen: the last such event
--   events: number of such events
--   is_current: whether this customer was seen last under the anonymous_id
--   users: number of customers seen under the anonymous_id; more than one means a shared device
-- null: No value is NULL. Consent that was never stated is no consent, so there is no row.
-- needs: events with anonymousId, userId and consent.personalization = true.
-- source: Own definition, see the view identity.
SELECT scope, anonymous_id, user_id, first_seen, last_seen, events, is_current, users
FROM identity
WHERE last_seen >= $from AND first_seen < $to
ORDER BY scope, anonymous_id, last_seen DESC, user_id
