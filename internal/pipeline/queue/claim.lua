-- Moves envelopes from the head of a queue into a claim with a lease.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
-- ARGV[2] lease in milliseconds
-- ARGV[3] largest number of records of a claim
-- ARGV[4] largest number of bytes of a claim; a larger envelope becomes a claim by itself
--
-- Returns {depth of the queue after the claim, {envelope, …}}, without envelopes
-- when the queue is empty. A claim that exists is returned unchanged, so that a
-- caller can repeat a call whose answer was lost.
--
-- O(records of the claim). Atomic, so that an envelope is either in the queue or in
-- one claim. If Redis stops the script midway because the user may not run a
-- command, no envelope is lost: all that the claim needs has run once before the
-- envelopes are removed from the queue. The first write is a ZREM of a lease that
-- does not exist: a Redis at its memory limit accepts it, and then the writes after
-- it.
local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
if #envelopes > 0 then
  return { redis.call('LLEN', KEYS[1]), envelopes }
end

local expires = now() + tonumber(ARGV[2])
local maxRecords, maxBytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local records, bytes, chunk, full = 0, 0, 1, false
while not full and records < maxRecords and bytes < maxBytes do
  local read = redis.call('LRANGE', KEYS[1], records, records + math.min(chunk, maxRecords - records) - 1)
  for i = 1, #read do
    local after = bytes + #read[i]
    full = after > maxBytes and records > 0
    if full then
      break
    end
    -- A separate counter, because #envelopes searches the table: that takes twice
    -- the time of the rest.
    records = records + 1
    envelopes[records] = read[i]
    bytes = after
  end
  if #read == 0 then
    break
  end
  -- Small envelopes are read many at a time, large ones one at a time: the next
  -- chunk has as many as should fit by the mean size so far, and at most twice as
  -- many as the last one.
  local mean = bytes / records
  chunk = math.max(1, math.min(2 * chunk, PART, math.floor((maxBytes - bytes) / mean)))
end

if records > 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('RPUSH', KEYS[3], envelopes[1])
  redis.call('ZADD', KEYS[2], expires, ARGV[1])
  redis.call('LTRIM', KEYS[1], records, -1)
  append(KEYS[3], envelopes, 2)
  count(KEYS[4], 'claimed', records, bytes)
end
return { redis.call('LLEN', KEYS[1]), envelopes }
