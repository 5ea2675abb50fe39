-- Takes what was deposited: whoever is first gets it, and nobody after.
--
-- KEYS[1] deposit: a string

local kept = redis.call("GET", KEYS[1])
if kept then redis.call("DEL", KEYS[1]) end
return kept
