-- Returns a part of a group's stream with the epoch that it is in: offsets are reused when writes were lost.
--
-- KEYS[1] meta, KEYS[2] stream (see append.lua)
-- ARGV    1 epoch to use if a new one begins, 2 first entry ID, 3 last entry ID
-- Returns {epoch, entries}

local epoch = fanout_position(KEYS[1], KEYS[2], ARGV[1])[1]
return {epoch, redis.call("XRANGE", KEYS[2], ARGV[2], ARGV[3])}
