-- Takes the oldest message of a general channel for one receiver, or notes that it waits.
--
-- A take has a number: asked for again, because its answer was lost, it is the same take. One that comes after the
-- receiver has given it up (leave.lua) takes nothing.
--
-- KEYS    1 queue, 2 waiting, 3 taken (see queue.lua)
-- ARGV    1 number of the take, 2 topic of the receiver, 3 ms that a receiver counts as waiting,
--         4 ms that a take is remembered
-- Returns the body, or nil when there is none.

local known = redis.call("HMGET", KEYS[3], "number", "message")
local last, asked = tonumber(known[1] or 0), tonumber(ARGV[1])
if last > asked or (last == asked and not known[2]) then return false end
if last == asked then return fanout_body(known[2]) end

local now = fanout_now()
local message = redis.call("LPOP", KEYS[1])
while message and fanout_expired(message, now) do message = redis.call("LPOP", KEYS[1]) end
if not message then
  redis.call("ZADD", KEYS[2], "NX", now, ARGV[2])
  redis.call("PEXPIRE", KEYS[2], ARGV[3])
  return false
end
redis.call("HSET", KEYS[3], "number", ARGV[1], "message", message)
redis.call("PEXPIRE", KEYS[3], ARGV[4])
redis.call("ZREM", KEYS[2], ARGV[2])
return fanout_body(message)
