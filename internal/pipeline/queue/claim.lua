-- Moves envelopes from the head of a queue into a claim with a lease.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
-- ARGV[2] lease in milliseconds
-- ARGV[3] most records of a claim
-- ARGV[4] most bytes of a claim; an envelope that is larger is a claim by itself
--
-- Returns {depth that is left, {envelope, …}}; no envelope when the queue is
-- empty. A claim that exists is returned as it is, so that a call whose answer
-- was lost can be repeated.
--
-- O(records of the claim). Atomic, so that an envelope is at every moment
-- either in the queue or in one claim. The first write is a pop: it works on a
-- Redis at its memory limit, and what a script writes after its first write is
-- not refused.
local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
if #envelopes > 0 then
  return { redis.call('LLEN', KEYS[1]), envelopes }
end

local maxRecords, maxBytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local records, bytes, chunk = 0, 0, 1
while records < maxRecords and (bytes < maxBytes or records == 0) do
  local popped = redis.call('LPOP', KEYS[1], math.min(chunk, maxRecords - records))
  if not popped then
    break
  end
  local fits = 0
  for i = 1, #popped do
    local after = bytes + #popped[i]
    if after > maxBytes and records > 0 then
      break
    end
    -- A counter of its own: # searches the table, twice the time of the rest.
    records = records + 1
    envelopes[records] = popped[i]
    bytes = after
    fits = i
  end
  if fits < #popped then
    prepend(KEYS[1], popped, fits + 1)
    break
  end
  -- Small envelopes are popped many at once, large ones one by one: the next
  -- pop takes what should fit by the mean so far, and at most twice the last.
  local mean = bytes / records
  chunk = math.max(1, math.min(2 * chunk, PART, math.floor((maxBytes - bytes) / mean)))
end

if records > 0 then
  append(KEYS[3], envelopes, 1)
  redis.call('ZADD', KEYS[2], now() + tonumber(ARGV[2]), ARGV[1])
  count(KEYS[4], 'claimed', records, bytes)
end
return { redis.call('LLEN', KEYS[1]), envelopes }
