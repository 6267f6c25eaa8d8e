-- Returns some envelopes of a claim to the head of its queue and some to its tail,
-- counts the others, and deletes the claim.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] stats
-- ARGV[1] id of the claim
-- ARGV[2] number of positions to return to the head
-- ARGV[3] number of positions to return to the tail
-- ARGV[4…] positions to return to the head, positions to return to the tail, then positions of dead letters, each from 0 and
--          ascending; all others were forwarded
--
-- Returns 1. Returns 0, and changes nothing, when no lease names the claim.
--
-- O(records of the claim). Atomic, so that an envelope is either in the queue or in
-- one claim. The first write is a ZREM, which a Redis at its memory limit accepts.
-- The claim is deleted last: if Redis stops the script midway, each envelope is
-- still in the queue or in a claim without a lease, which the sweep returns.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then
  return 0
end

local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
local left, later, dead = {}, {}, {}
local firstLater = 4 + tonumber(ARGV[2])
local firstDead = firstLater + tonumber(ARGV[3])
for i = 4, #ARGV do
  local into = i < firstLater and left or i < firstDead and later or dead
  into[#into + 1] = envelopes[ARGV[i] + 1]
end
prepend(KEYS[1], left, 1)
append(KEYS[1], later, 1)

local all, leftBytes, deadBytes = size(envelopes), size(left) + size(later), size(dead)
count(KEYS[4], 'claimed', -#envelopes, -all)
count(KEYS[4], 'aside', #dead, deadBytes)
count(KEYS[4], 'forwarded', #envelopes - #left - #later - #dead, all - leftBytes - deadBytes)
redis.call('DEL', KEYS[3])
return 1
