-- Notes how many connections of a subject a process has, unless the fleet would have more than a limit with them.
-- Returns 1 if it was noted, else 0.
--
-- KEYS[1] holders: a sorted set of processes by the time of their last word in ms
-- KEYS[2] held: a hash of subject → connections, of this process
-- ARGV    1 process, 2 what the names of all such hashes begin with, 3 ms without a word after which one counts no more,
--         4 subject, 5 connections, 6 limit

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local total = tonumber(ARGV[5])
for _, process in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], now - ARGV[3], "+inf")) do
  if process ~= ARGV[1] then
    total = total + tonumber(redis.call("HGET", ARGV[2] .. process, ARGV[4]) or 0)
  end
end
if total > tonumber(ARGV[6]) then return 0 end
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("HSET", KEYS[2], ARGV[4], ARGV[5])
redis.call("PEXPIRE", KEYS[2], 4 * ARGV[3])
return 1
