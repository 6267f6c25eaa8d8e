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
local bytes, chunk = 0, 1
while #envelopes < maxRecords and (bytes < maxBytes or #envelopes == 0) do
  local popped = redis.call('LPOP', KEYS[1], math.min(chunk, maxRecords - #envelopes))
  if not popped then
    break
  end
  local fits = 0
  for i, envelope in ipairs(popped) do
    if #envelopes > 0 and bytes + #envelope > maxBytes then
      break
    end
    envelopes[#envelopes + 1] = envelope
    bytes = bytes + #envelope
    fits = i
  end
  if fits < #popped then
    prepend(KEYS[1], popped, fits + 1)
    break
  end
  -- Small envelopes are popped many at once, large ones one by one: the next
  -- pop takes what should fit by the mean so far, and at most twice the last.
  local mean = bytes / #envelopes
  chunk = math.max(1, math.min(2 * chunk, PART, math.floor((maxBytes - bytes) / mean)))
end

if #envelopes > 0 then
  append(KEYS[3], envelopes, 1)
  redis.call('ZADD', KEYS[2], now() + tonumber(ARGV[2]), ARGV[1])
  count(KEYS[4], 'claimed', #envelopes, bytes)
end
return { redis.call('LLEN', KEYS[1]), envelopes }
