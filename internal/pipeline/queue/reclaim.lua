-- Returns a claim to the head of its queue if its lease has expired.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
--
-- Returns the number of envelopes that were returned: 0 when the lease has not
-- expired or does not exist.
--
-- O(records of the claim). Atomic: the script checks the lease again, so that one
-- of many callers returns the claim, and none returns a claim that was just taken.
-- The first write is a ZREM, which a Redis at its memory limit accepts. The claim
-- is deleted last: if Redis stops the script midway, each envelope is still in a
-- list that the sweep finds.
local expires = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not expires or tonumber(expires) > now() then
  return 0
end
local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
redis.call('ZREM', KEYS[2], ARGV[1])
prepend(KEYS[1], envelopes, 1)
count(KEYS[4], 'claimed', -#envelopes, -size(envelopes))
redis.call('DEL', KEYS[3])
return #envelopes
