-- What every script of streams begins with: the group's position, after a check that it can be trusted.
--
-- A server that became master, or that started anew, has another replication id. What it holds may lack
-- acknowledged writes, and the next offsets would name other publications: so a new epoch begins, which
-- remembers the last offset of the old one that is still there. Positions up to it still recover.

local PAST_EPOCHS = 16 -- older ones are forgotten: a client that slept through 16 failovers starts afresh

local function fanout_position(meta, stream, fresh)
  local replid = string.match(redis.call("INFO", "replication"), "master_replid:(%x+)")
  local known = redis.call("HMGET", meta, "epoch", "offset", "replid", "past")
  local epoch, offset, past = known[1], tonumber(known[2]), known[4] or ""
  if epoch and known[3] == replid then return {epoch, offset, past} end
  if epoch then
    past = epoch .. ":" .. string.format("%.0f", offset) .. "," .. past
    local kept = {}
    for item in string.gmatch(past, "[^,]+") do
      if #kept < PAST_EPOCHS then kept[#kept + 1] = item end
    end
    past = table.concat(kept, ",")
  else
    offset = 0
    redis.call("DEL", stream)
  end
  redis.call("HSET", meta, "epoch", fresh, "offset", string.format("%.0f", offset), "replid", replid, "past", past)
  return {fresh, offset, past}
end

-- Returns the first offset that may stay of a stream that is to hold so many bytes; 0: all may.
--
-- marks "offset:bytes,…": of some entries, how many bytes the group had been given before them; total: by now; most: bytes
-- that may stay (0: any number); newest: the newest offset, which stays whatever its size. Entries before the first mark
-- are an older replica's, or have gone.
local function fanout_first_kept(marks, total, most, newest)
  if most == 0 then return 0 end
  local first = 0
  for offset, before in string.gmatch(marks, "(%d+):(%d+),") do
    if total - before <= most then return first == 0 and 0 or tonumber(offset) end
    first = offset
  end
  return first == 0 and 0 or newest
end

