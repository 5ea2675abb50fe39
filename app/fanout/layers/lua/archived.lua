-- Notes through which offset a group's publications are in the archive, and trims what waited for that.
--
-- KEYS[1] meta, KEYS[2] stream (see append.lua); meta's field archived: the offset
-- ARGV    1 epoch to use if a new one begins, 2 epoch that is meant, 3 offset, 4 history entries, 5 history age in ms,
--         6 history bytes (0: any number)
-- Returns 1, or 0 when the stream is in another epoch by now: then the same offset may name another publication.

if redis.call("EXISTS", KEYS[1]) == 0 then return 0 end
local epoch, offset = unpack(fanout_position(KEYS[1], KEYS[2], ARGV[1]))
if epoch ~= ARGV[2] then return 0 end
local archived = math.max(tonumber(ARGV[3]), tonumber(redis.call("HGET", KEYS[1], "archived") or 0))
redis.call("HSET", KEYS[1], "archived", string.format("%.0f", archived))
local known = redis.call("HMGET", KEYS[1], "bytes", "marks")
local within = fanout_first_kept(known[2] or "", tonumber(known[1] or 0), tonumber(ARGV[6]), offset)
local first = math.min(math.max(offset - ARGV[4] + 1, within), archived + 1)
if first > 1 then redis.call("XTRIM", KEYS[2], "MINID", "=", string.format("%.0f-0", first)) end
if archived >= offset then redis.call("PEXPIRE", KEYS[2], ARGV[5]) end
return 1
