-- Appends one publication to a group's stream and publishes it, in one step: no reader sees one without the other.
--
-- KEYS[1] meta of the group: a hash of epoch, offset, replid (of the server that wrote last), past
--         ("epoch:offset,…": older epochs and the last offset of each that survived), archived (see archived.lua),
--         bytes (of all that was ever appended), marks (see stream.lua)
-- KEYS[2] stream of the group: entry IDs are "<offset>-0"
-- KEYS[3] idempotency key; the empty suffix stands for "none given"
-- ARGV    1 topic, 2 body, 3 history entries, 4 history age in ms, 5 epoch to use if a new one begins,
--         6 lifetime of the idempotency key in ms (0: none given), 7 digest of the data,
--         8 lifetime of meta in ms, 9 marker and version of the envelope, 10 entries that wait for the archive at most
--         (0: the kind has none), 11 topic of the archive, 12 group, 13 history bytes (0: any number), 14 bytes that wait
--         for the archive at most
-- Returns {"ok" | "repeat", epoch, offset} or {"conflict"}: the key was used with other data.

local TRIM_AT_ONCE = 10 -- entries past their age that one call removes: bounds the work, outruns the appends
local MARKS = 32 -- parts of its bytes that a stream loses together: no entry is read to know its size, and few are noted

local time = redis.call("TIME") -- the server's clock: a publisher's may be wrong, and trim what others need
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch, offset = unpack(fanout_position(KEYS[1], KEYS[2], ARGV[5]))
local backlog = tonumber(ARGV[10])

if ARGV[6] ~= "0" then
  local known = redis.call("HMGET", KEYS[3], "epoch", "offset", "digest")
  if known[1] then
    if known[3] ~= ARGV[7] then return {"conflict"} end
    return {"repeat", known[1], tonumber(known[2])}
  end
end

offset = offset + 1
local id = string.format("%.0f", offset) -- Lua would write large numbers with an exponent
local known = redis.call("HMGET", KEYS[1], "bytes", "marks", "archived")
local before, marks, size, most = tonumber(known[1] or 0), known[2] or "", #ARGV[2], tonumber(ARGV[13])
local grain = (most > 0 and most or tonumber(ARGV[14])) / MARKS
local marked = string.match(string.sub(marks, -20), ":(%d+),$") -- bytes before the last mark: 16 digits at most
if not marked or size >= grain or before - marked >= grain then
  marks = string.format("%s%s:%.0f,", marks, id, before)
end
local archived, first = offset, offset - ARGV[3] + 1 -- the first offset that has to stay
first = math.max(first, fanout_first_kept(marks, before + size, most, offset))
if backlog > 0 then -- what the archive has not copied is kept, up to the limit
  archived = tonumber(known[3] or 0)
  local waiting = math.max(offset - backlog + 1, fanout_first_kept(marks, before + size, tonumber(ARGV[14]), offset))
  first = math.max(math.min(first, archived + 1), waiting)
end
first = math.max(first, 0)
while tonumber(string.match(marks, "^[^,]*,(%d+)") or first + 1) <= first do -- its entries are gone
  marks = string.match(marks, ",(.*)$")
end
local threshold = string.format("%.0f-0", first)
redis.call("XADD", KEYS[2], "MINID", "=", threshold, id .. "-0", "t", string.format("%.0f", now), "b", ARGV[2])
redis.call("HSET", KEYS[1], "offset", id, "bytes", string.format("%.0f", before + size), "marks", marks)
redis.call("PEXPIRE", KEYS[1], ARGV[8])
redis.call("PEXPIRE", KEYS[2], backlog > 0 and ARGV[8] or ARGV[4]) -- archived.lua shortens it
local oldest = now - tonumber(ARGV[4])
for _ = 1, TRIM_AT_ONCE do
  local entry = redis.call("XRANGE", KEYS[2], "-", "+", "COUNT", 1)[1] -- one: its body comes along, of up to 512 KiB
  if not entry or tonumber(entry[2][2]) >= oldest then break end
  if tonumber(string.match(entry[1], "^%d+")) > archived then break end
  redis.call("XDEL", KEYS[2], entry[1])
end
if ARGV[6] ~= "0" then
  redis.call("HSET", KEYS[3], "epoch", epoch, "offset", id, "digest", ARGV[7])
  redis.call("PEXPIRE", KEYS[3], ARGV[6])
end
redis.call("PUBLISH", ARGV[1], ARGV[9] .. epoch .. ":" .. id .. ":" .. ARGV[2])
if backlog > 0 then redis.call("PUBLISH", ARGV[11], ARGV[12]) end
return {"ok", epoch, offset}
