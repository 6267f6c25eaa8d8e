-- Compares the counters of a queue with its lists, corrects them and returns what
-- is lost.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] stats
-- KEYS[4…] lists of the claims that the caller knows
-- ARGV[1] time in milliseconds in which the counter of accepted records may be too low
-- ARGV[2…] ids of the claims that the caller knows, in the order of KEYS
--
-- Returns {records, bytes} that were accepted and are neither in the lists nor
-- counted as forwarded, dead letter or lost. They are counted as lost by this call.
-- Negative numbers: more was forwarded than accepted. Returns {0, 0} while records
-- wait. Returns {} when the claims are not those that the caller knows: the caller
-- repeats the call.
--
-- Functions of a version that does not count accepted records may push beside those
-- that do while a deploy is under way. In the time of ARGV[1] after the first call
-- a counter that is too low is therefore raised to the sum of the others. A counter
-- that is not too low at the first call has counted from the first record on: it is
-- not raised.
--
-- O(claims). Atomic, so that nothing is on its way between two lists. The first
-- write is an HDEL of a field that does not exist: a Redis at its memory limit
-- accepts it, and then the writes after it.
local ids = redis.call('ZRANGE', KEYS[2], 0, -1)
if not unchanged(ids, 2) then
  return {}
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  return { 0, 0 }
end
local counters = redis.call('HGETALL', KEYS[3])
local stats = {}
for i = 1, #counters, 2 do
  stats[counters[i]] = tonumber(counters[i + 1])
end
local function of(name)
  return stats[name] or 0
end

local waiting = redis.call('LLEN', KEYS[1])
for i = 4, #KEYS do
  waiting = waiting + redis.call('LLEN', KEYS[i])
end
local records = of('accepted') - waiting - of('forwarded') - of('aside') - of('lost')
local time = now()
redis.call('HDEL', KEYS[3], '')
if not stats.acceptedFrom then
  stats.acceptedFrom = records >= 0 and time or time + tonumber(ARGV[1])
  redis.call('HSET', KEYS[3], 'acceptedFrom', stats.acceptedFrom)
end
if records < 0 and time < stats.acceptedFrom then
  redis.call('HINCRBY', KEYS[3], 'accepted', -records)
  records = 0
end
if waiting > 0 or #ids > 0 then
  return { 0, 0 }
end

local bytes = of('acceptedBytes') - of('forwardedBytes') - of('asideBytes') - of('lostBytes')
if of('claimed') ~= 0 or of('claimedBytes') ~= 0 then
  redis.call('HSET', KEYS[3], 'claimed', 0, 'claimedBytes', 0)
end
if records ~= 0 or bytes ~= 0 then
  redis.call('HINCRBY', KEYS[3], 'lost', records)
  redis.call('HINCRBY', KEYS[3], 'lostBytes', bytes)
  redis.call('HSET', KEYS[3], 'lostAt', time)
end
return { records, bytes }
