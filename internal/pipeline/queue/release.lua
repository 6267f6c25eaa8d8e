-- Returns some envelopes of a claim to the head of its queue, counts the others, and deletes the claim.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
-- ARGV[2] number of positions to return
-- ARGV[3…] positions to return, then positions of dead letters, each from 0 and ascending; all others were forwarded
--
-- Returns 1. Returns 0, and changes nothing, when no lease names the claim.
--
-- O(records of the claim). Atomic, so that an envelope is either in the queue or in one claim. The first write is a ZREM, which a
-- Redis at its memory limit accepts. The claim is deleted last: if Redis stops the script midway, each envelope is still in the
-- queue or in a claim without a lease, which the sweep returns.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then
  return 0
end

local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
local left, dead = {}, {}
local firstDead = 3 + tonumber(ARGV[2])
for i = 3, #ARGV do
  local into = i < firstDead and left or dead
  into[#into + 1] = envelopes[ARGV[i] + 1]
end
prepend(KEYS[1], left, 1)

local all, leftBytes, deadBytes = size(envelopes), size(left), size(dead)
count(KEYS[4], 'claimed', -#envelopes, -all)
count(KEYS[4], 'aside', #dead, deadBytes)
count(KEYS[4], 'forwarded', #envelopes - #left - #dead, all - leftBytes - deadBytes)
redis.call('DEL', KEYS[3])
return 1
