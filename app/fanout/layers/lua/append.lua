-- Appends one publication to a group's stream and publishes it, in one step: no reader sees one without the other.
--
-- KEYS[1] meta of the group: a hash of epoch, offset, replid (of the server that wrote last), past
--         ("epoch:offset,…": older epochs and the last offset of each that survived)
-- KEYS[2] stream of the group: entry IDs are "<offset>-0"
-- KEYS[3] idempotency key; the empty suffix stands for "none given"
-- ARGV    1 channel, 2 body, 3 history entries, 4 history age in ms, 5 epoch to use if a new one begins,
--         6 lifetime of the idempotency key in ms (0: none given), 7 digest of the data,
--         8 lifetime of meta in ms, 9 marker and version of the envelope
-- Returns {"ok" | "repeat", epoch, offset} or {"conflict"}: the key was used with other data.

local TRIM_AT_ONCE = 10 -- entries past their age that one call removes: bounds the work, outruns the appends

local time = redis.call("TIME") -- the server's clock: a publisher's may be wrong, and trim what others need
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch, offset = unpack(fanout_position(KEYS[1], KEYS[2], ARGV[5]))

if ARGV[6] ~= "0" then
  local known = redis.call("HMGET", KEYS[3], "epoch", "offset", "digest")
  if known[1] then
    if known[3] ~= ARGV[7] then return {"conflict"} end
    return {"repeat", known[1], tonumber(known[2])}
  end
end

offset = offset + 1
local id = string.format("%.0f", offset) -- Lua would write large numbers with an exponent
redis.call("XADD", KEYS[2], "MAXLEN", "=", ARGV[3], id .. "-0", "t", string.format("%.0f", now), "b", ARGV[2])
redis.call("HSET", KEYS[1], "offset", id)
redis.call("PEXPIRE", KEYS[1], ARGV[8])
redis.call("PEXPIRE", KEYS[2], ARGV[4])
local oldest = now - tonumber(ARGV[4])
for _ = 1, TRIM_AT_ONCE do
  local entry = redis.call("XRANGE", KEYS[2], "-", "+", "COUNT", 1)[1] -- one: its body comes along, of up to 512 KiB
  if not entry or tonumber(entry[2][2]) >= oldest then break end
  redis.call("XDEL", KEYS[2], entry[1])
end
if ARGV[6] ~= "0" then
  redis.call("HSET", KEYS[3], "epoch", epoch, "offset", id, "digest", ARGV[7])
  redis.call("PEXPIRE", KEYS[3], ARGV[6])
end
redis.call("PUBLISH", ARGV[1], ARGV[9] .. epoch .. ":" .. id .. ":" .. ARGV[2])
return {"ok", epoch, offset}
