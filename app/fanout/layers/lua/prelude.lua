-- What every script of ours begins with: the group's position, after a check that it can be trusted.
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

