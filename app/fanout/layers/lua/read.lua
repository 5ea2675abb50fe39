-- Returns the entries of a group's stream from one ID to another, or nil when the stream is in another epoch by now:
-- then the same offsets may name other publications, and fewer entries mean nothing.
--
-- KEYS[1] meta, KEYS[2] stream (see append.lua)
-- ARGV    1 epoch to use if a new one begins, 2 lifetime of meta in ms, 3 epoch that is meant, 4 first ID, 5 last ID

-- Whoever only looks at a group leaves nothing behind: until the first publication its epoch is "0".
if redis.call("EXISTS", KEYS[1]) == 0 then return ARGV[3] == "0" and {} or false end
local epoch = fanout_position(KEYS[1], KEYS[2], ARGV[1])[1]
redis.call("PEXPIRE", KEYS[1], ARGV[2]) -- a write: what is not the master any more refuses
if epoch ~= ARGV[3] then return false end
return redis.call("XRANGE", KEYS[2], ARGV[4], ARGV[5])
