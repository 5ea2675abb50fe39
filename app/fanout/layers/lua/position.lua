-- Returns a group's position and its past: {epoch, offset, past}. Begins a new epoch where one is due.
--
-- KEYS[1] meta, KEYS[2] stream (see append.lua)
-- ARGV    1 epoch to use if a new one begins, 2 lifetime of meta in ms

-- Whoever only looks at a group leaves nothing behind: until the first publication its epoch is "0".
if redis.call("EXISTS", KEYS[1]) == 0 then return {"0", 0, ""} end
local epoch, offset, past = unpack(fanout_position(KEYS[1], KEYS[2], ARGV[1]))
redis.call("PEXPIRE", KEYS[1], ARGV[2], "GT") -- never less: a history may be kept for longer
return {epoch, offset, past}
