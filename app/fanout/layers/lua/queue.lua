-- What every script of general channels begins with.
--
-- KEYS[1] queue: a list of "<ms since 1970 when it expires>:<body>", the oldest first
-- KEYS[2] waiting: the topics of the receivers that wait, by the time since when
-- KEYS[3] taken: a hash of what one receiver took last: number, message
--
-- The time is Redis' own: senders and receivers need not agree on theirs.

local function fanout_now()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function fanout_expired(message, now)
  return tonumber(string.match(message, "^%d+")) <= now
end

local function fanout_body(message)
  return string.sub(message, string.find(message, ":", 1, true) + 1)
end

-- Wakes the receiver that has waited longest. One that is gone, so that nobody hears its topic, is forgotten.
local function fanout_wake(waiting, channel)
  while true do
    local first = redis.call("ZPOPMIN", waiting)
    if not first[1] or redis.call("PUBLISH", first[1], channel) > 0 then return end
  end
end
