-- Removes what a process has said of its members, unless it has said something newer since.
--
-- KEYS[1] presence of the group (see announce.lua)
-- ARGV    1 process, 2 number

local known = redis.call("HGET", KEYS[1], ARGV[1])
if known and string.match(known, "^%d+") == ARGV[2] then
  redis.call("HDEL", KEYS[1], ARGV[1])
end
