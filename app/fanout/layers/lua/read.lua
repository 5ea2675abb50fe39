-- Returns the first entries of a group's stream from one offset to another, or nil when the stream is in another epoch
-- by now: then the same offsets may name other publications, and fewer entries mean nothing.
--
-- KEYS[1] meta, KEYS[2] stream (see append.lua)
-- ARGV    1 epoch to use if a new one begins, 2 lifetime of meta in ms, 3 epoch that is meant, 4 first offset,
--         5 last offset, 6 bytes and 7 entries to return at most; one entry is returned whatever its size

local STEP = 16 -- entries looked at together: of large ones not many more than are returned

-- Whoever only looks at a group leaves nothing behind: until the first publication its epoch is "0".
if redis.call("EXISTS", KEYS[1]) == 0 then return ARGV[3] == "0" and {} or false end
local epoch = fanout_position(KEYS[1], KEYS[2], ARGV[1])[1]
redis.call("PEXPIRE", KEYS[1], ARGV[2], "GT") -- a write: what is not the master any more refuses
if epoch ~= ARGV[3] then return false end

local found, size, first = {}, 0, ARGV[4] .. "-0"
while true do
  local entries = redis.call("XRANGE", KEYS[2], first, ARGV[5] .. "-0", "COUNT", STEP)
  for _, entry in ipairs(entries) do
    for _, field in ipairs(entry[2]) do size = size + #field end
    if #found > 0 and size > tonumber(ARGV[6]) then return found end
    found[#found + 1] = entry
    if #found >= tonumber(ARGV[7]) then return found end
  end
  if #entries < STEP then return found end
  local last = string.match(entries[#entries][1], "^%d+")
  first = string.format("%.0f-0", tonumber(last) + 1)
end
