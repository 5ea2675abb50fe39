-- Notes that a process lives, by the server's clock; returns those that said so lately.
--
-- KEYS[1] fleet: a sorted set of process by the time of its last beat in ms
-- ARGV    1 process, 2 ms without a beat after which a process is not returned, 3 after which it is forgotten

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[3])
return redis.call("ZRANGEBYSCORE", KEYS[1], now - ARGV[2], "+inf")
