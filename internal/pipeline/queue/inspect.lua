-- Reads the state of a queue, and counts its lists apart from the counters.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] stats
-- KEYS[4…] lists of the claims that the caller knows
-- ARGV[1] number of bytes to read of the first envelope of each list
-- ARGV[2] number of bytes up to which the lists are measured
-- ARGV[3] 1 to answer although the claims have changed
-- ARGV[4…] ids of the claims that the caller knows, in the order of KEYS
--
-- Returns {{id of claim, …}} when the claims are not those that the caller knows:
-- the caller repeats the call with these ids. Otherwise returns
--   {id of claim, …}
--   {1 if the claims are those that the caller knows, clock in milliseconds, depth,
--    bytes in the queue, bytes in the claims}
--   {length of claim, …}
--   {beginning of the first envelope of the queue and of each claim, …}
--   {counter, value, …}
-- The bytes are -1 when the lists hold more than ARGV[2].
--
-- O(claims + ARGV[2]). Atomic, so that all numbers belong to one moment.
local ids = redis.call('ZRANGE', KEYS[2], 0, -1)
local exact = unchanged(ids, 4)
if not exact and ARGV[3] ~= '1' then
  return { ids }
end

local function head(key)
  return string.sub(redis.call('LINDEX', key, 0) or '', 1, tonumber(ARGV[1]))
end

-- measure returns the bytes of a list, or nil when they exceed budget. It reads few
-- envelopes first, because they may be large.
local function measure(key, length, budget)
  local bytes, first, chunk = 0, 0, 1
  while first < length do
    bytes = bytes + size(redis.call('LRANGE', key, first, first + chunk - 1))
    if bytes > budget then
      return nil
    end
    first = first + chunk
    chunk = math.min(2 * chunk, PART)
  end
  return bytes
end

local depth = redis.call('LLEN', KEYS[1])
local lengths, heads = {}, { head(KEYS[1]) }
for i = 4, #KEYS do
  lengths[i - 3] = redis.call('LLEN', KEYS[i])
  heads[i - 2] = head(KEYS[i])
end

-- The counters say first whether the lists can be measured in a short time.
local stats = redis.call('HMGET', KEYS[3], 'acceptedBytes', 'forwardedBytes', 'asideBytes', 'lostBytes')
local backlog = (stats[1] or 0) - (stats[2] or 0) - (stats[3] or 0) - (stats[4] or 0)
local budget = tonumber(ARGV[2])
local queued = backlog <= budget and measure(KEYS[1], depth, budget)
local claimed = queued and 0
for i = 4, #KEYS do
  local bytes = claimed and measure(KEYS[i], lengths[i - 3], budget - queued - claimed)
  claimed = bytes and claimed + bytes
end

return {
  ids, { exact and 1 or 0, now(), depth, claimed and queued or -1, claimed or -1 },
  lengths, heads, redis.call('HGETALL', KEYS[3]),
}
