-- Returns a claim to the head of its queue if its lease has run out.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
--
-- Returns the number of envelopes that went back: 0 when the lease still runs
-- or the claim is gone.
--
-- O(records of the claim). Atomic: the lease is checked again here, so that of
-- many callers one returns the claim, and none returns one that was just taken.
-- The first write is a DEL or a ZREM: it works on a Redis at its memory limit.
local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not deadline or tonumber(deadline) > now() then
  return 0
end
local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
redis.call('DEL', KEYS[3])
redis.call('ZREM', KEYS[2], ARGV[1])
prepend(KEYS[1], envelopes, 1)
count(KEYS[4], 'claimed', -#envelopes, -size(envelopes))
return #envelopes
