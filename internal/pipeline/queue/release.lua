-- Returns what is left of a claim to the head of its queue and counts the rest.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
-- ARGV[2] number of positions that are left
-- ARGV[3…] positions that are left, then positions that were put aside: from 0,
--          ascending; all others count as forwarded
--
-- Returns 1, or 0 when the claim is gone: then nothing changes.
--
-- O(records of the claim). Atomic, so that an envelope is at every moment
-- either in the queue or in one claim. The first write is a DEL: it works on a
-- Redis at its memory limit.
local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
if redis.call('DEL', KEYS[3]) == 0 then
  return 0
end

local left, aside = {}, {}
local firstAside = 3 + tonumber(ARGV[2])
for i = 3, #ARGV do
  local into = i < firstAside and left or aside
  into[#into + 1] = envelopes[ARGV[i] + 1]
end
prepend(KEYS[1], left, 1)
redis.call('ZREM', KEYS[2], ARGV[1])

local all, leftBytes, asideBytes = size(envelopes), size(left), size(aside)
count(KEYS[4], 'claimed', -#envelopes, -all)
count(KEYS[4], 'aside', #aside, asideBytes)
count(KEYS[4], 'forwarded', #envelopes - #left - #aside, all - leftBytes - asideBytes)
return 1
