-- Notes how many connections of each subject a process has now. Returns the number of subjects that are known of it.
--
-- KEYS[1] holders: a sorted set of processes by the time of their last word in ms
-- KEYS[2] held: a hash of subject → connections, of this process
-- ARGV    1 process, 2 ms without a word after which a process counts no more, then subject, connections, …

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[2])
for at = 3, #ARGV, 2 do
  if ARGV[at + 1] == "0" then
    redis.call("HDEL", KEYS[2], ARGV[at])
  else
    redis.call("HSET", KEYS[2], ARGV[at], ARGV[at + 1])
  end
end
redis.call("PEXPIRE", KEYS[2], 4 * ARGV[2])
return redis.call("HLEN", KEYS[2])
