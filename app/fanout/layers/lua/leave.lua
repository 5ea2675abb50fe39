-- Gives up a take: what it took goes back to the head of the queue, and another receiver is woken in its place.
--
-- KEYS    1 queue, 2 waiting, 3 taken (see queue.lua)
-- ARGV    1 number of the take, 2 topic of the receiver, 3 channel, 4 ms that this is remembered
-- Returns 1 when a message went back, else 0.

local known = redis.call("HMGET", KEYS[3], "number", "message")
local last, given_up = tonumber(known[1] or 0), tonumber(ARGV[1])
if last > given_up then return 0 end -- this call comes late: the receiver has gone on
local back = last == given_up and known[2]
if back then
  redis.call("LPUSH", KEYS[1], back)
  redis.call("PEXPIRE", KEYS[1], ARGV[4])
end
redis.call("DEL", KEYS[3])
redis.call("HSET", KEYS[3], "number", ARGV[1])
redis.call("PEXPIRE", KEYS[3], ARGV[4])
redis.call("ZREM", KEYS[2], ARGV[2])
if redis.call("EXISTS", KEYS[1]) == 1 then fanout_wake(KEYS[2], ARGV[3]) end
return back and 1 or 0
