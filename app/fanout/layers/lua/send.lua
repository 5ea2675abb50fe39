-- Puts one message at the end of a general channel's queue and wakes one receiver.
--
-- KEYS    1 queue, 2 waiting (see queue.lua)
-- ARGV    1 channel, 2 body, 3 lifetime of the message in ms, 4 capacity
-- Returns 1, or 0 when the channel is full.

local now = fanout_now()
while true do
  local oldest = redis.call("LINDEX", KEYS[1], 0)
  if not oldest or not fanout_expired(oldest, now) then break end
  redis.call("LPOP", KEYS[1])
end
if redis.call("LLEN", KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call("RPUSH", KEYS[1], string.format("%.0f:", now + ARGV[3]) .. ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
fanout_wake(KEYS[2], ARGV[1])
return 1
