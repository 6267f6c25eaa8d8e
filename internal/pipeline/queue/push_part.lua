-- Appends the envelopes of one part of a request to a queue, remembers the
-- request's idempotency key, and reports whether a wake-up is due.
--
-- KEYS[1] queue
-- KEYS[2] stats
-- KEYS[3] wake
-- KEYS[4] remembered keys, younger generation; missing when the request has no key
-- KEYS[5] remembered keys, older generation
-- ARGV[1] wake interval in milliseconds
-- ARGV[2] limit of the backlog (queue and claims) in bytes; 0 for no limit
-- ARGV[3] bytes to hold against the limit
-- ARGV[4] position in the request of the first envelope, from 0
-- ARGV[5] digest of the key
-- ARGV[6] fingerprint of the request, 8 bytes
-- ARGV[7] time in milliseconds for which a key is remembered
-- ARGV[8] largest number of keys of a generation
-- ARGV[9…] envelopes
--
-- Returns {status, depth, done}, where done is the number of envelopes of the
-- request that are pushed by now. The status is
--   0 the part would take the backlog over its limit: nothing was pushed
--   1 pushed
--   2 pushed, and a wake-up is due
--   3 all envelopes of the part were pushed before: nothing was pushed
--   4 the key was used with another fingerprint: nothing was pushed
--
-- Both generations are hashes of digest to fingerprint and done. A key is
-- remembered for at least ARGV[7], or until ARGV[8] newer keys have come. The TTL
-- of the younger generation tells its age by the server's clock. UNLINK and the
-- bound on the generations keep Redis from stalling when one is deleted.
--
-- A key is remembered from the first envelope of its request on. A part whose
-- predecessors Redis does not know, because a failover has lost them, is pushed and
-- not remembered: a retry then pushes the whole request again.
--
-- O(envelopes). Atomic, so that a key and its records appear together. The first
-- write needs memory: a Redis at its memory limit refuses the part before anything
-- has changed.
--
-- When the user may not run a command, Redis stops the script midway. The reads, and
-- the writes that turn the generations, come before the envelopes are pushed: such a
-- stop pushes nothing, and no generation is without a TTL. The number of done
-- envelopes is stored after the push: a retry never takes for pushed what is not.
-- Some stops leave pushed envelopes with an error, so that the caller stores the
-- records again: at the SET of the wake key, and at HINCRBY and HSET when the younger
-- generation is neither new nor turned.
local FIRST = 9
local start, key = tonumber(ARGV[4]), ARGV[5]
local last = start + #ARGV - FIRST + 1
local from = FIRST
local done, remember, fresh, keys, ttl = 0, false, false, 0, 0

-- keep writes the TTL of a generation again, or ARGV[7] when it has none. It does
-- nothing when the generation does not exist.
local function keep(generation, left)
  redis.call('PEXPIRE', generation, left > 0 and left or ARGV[7])
end

if KEYS[4] then
  local generation = KEYS[4]
  local known = redis.call('HGET', generation, key)
  if not known then
    generation = KEYS[5]
    known = redis.call('HGET', generation, key)
  end
  if known then
    if string.sub(known, 1, 8) ~= ARGV[6] then
      return { 4, 0, 0 }
    end
    done = tonumber(string.sub(known, 9))
    if done >= last then
      -- WAIT counts only the replicas that have what its connection wrote, so a
      -- replay writes too. A Redis at its memory limit accepts this write.
      keep(generation, redis.call('PTTL', generation))
      return { 3, redis.call('LLEN', KEYS[1]), done }
    end
    from = from + math.max(0, done - start)
  end
  remember = done >= start
  if remember then
    keys, ttl = redis.call('HLEN', KEYS[4]), redis.call('PTTL', KEYS[4])
    fresh = keys >= tonumber(ARGV[8]) or ttl < tonumber(ARGV[7])
  end
end

local bytes = 0
for i = from, #ARGV do
  bytes = bytes + #ARGV[i]
end
local limit = tonumber(ARGV[2])
if limit > 0 then
  local stats = redis.call('HMGET', KEYS[2], 'acceptedBytes', 'forwardedBytes', 'asideBytes', 'lostBytes')
  local backlog = (stats[1] or 0) - (stats[2] or 0) - (stats[3] or 0) - (stats[4] or 0)
  if backlog + math.max(bytes, tonumber(ARGV[3])) > limit then
    return { 0, 0, 0 }
  end
end

local depth = redis.call('LLEN', KEYS[1]) + #ARGV - from + 1
local awake = redis.call('EXISTS', KEYS[3]) == 1

if fresh then
  redis.call('HINCRBY', KEYS[2], 'accepted', 0) -- It needs memory, unlike the next writes.
  keep(KEYS[4], ttl)
  if keys > 0 then
    redis.call('UNLINK', KEYS[5])
    redis.call('RENAME', KEYS[4], KEYS[5])
  end
  redis.call('HSET', KEYS[4], key, ARGV[6] .. string.format('%d', done))
  redis.call('PEXPIRE', KEYS[4], 2 * ARGV[7])
end

append(KEYS[1], ARGV, from)
redis.call('HINCRBY', KEYS[2], 'accepted', #ARGV - from + 1)
redis.call('HINCRBY', KEYS[2], 'acceptedBytes', bytes)
if remember then
  redis.call('HSET', KEYS[4], key, ARGV[6] .. string.format('%d', last))
end

if awake then
  return { 1, depth, last }
end
redis.call('SET', KEYS[3], 1, 'PX', ARGV[1])
return { 2, depth, last }
