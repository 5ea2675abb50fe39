-- Keeps what a process says of its members of a group, unless it has said something newer, and tells the group.
--
-- KEYS[1] presence of the group: a hash of process → "number:body"
-- ARGV    1 topic, 2 process, 3 number, 4 body, 5 marker and version of the envelope, 6 lifetime in ms

local known = redis.call("HGET", KEYS[1], ARGV[2])
if not known or tonumber(string.match(known, "^%d+")) < tonumber(ARGV[3]) then
  redis.call("HSET", KEYS[1], ARGV[2], ARGV[3] .. ":" .. ARGV[4])
  redis.call("PEXPIRE", KEYS[1], ARGV[6])
end
redis.call("PUBLISH", ARGV[1], ARGV[5] .. ARGV[4])
