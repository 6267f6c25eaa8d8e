-- Forgets a claim of which every envelope was forwarded or put aside.
--
-- KEYS[1] claims
-- KEYS[2] claim
-- KEYS[3] stats
-- ARGV[1] id of the claim
-- ARGV[2] records that were forwarded, ARGV[3] the bytes of their envelopes
-- ARGV[4] records that were put aside, ARGV[5] the bytes of their envelopes
--
-- Returns 1, or 0 when the claim is gone (acknowledged before, or returned to
-- the queue when its lease ran out): then nothing changes.
--
-- O(records of the claim). Atomic, so that a claim is counted once. The first
-- write is a DEL: it works on a Redis at its memory limit.
if redis.call('DEL', KEYS[2]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
count(KEYS[3], 'claimed', -(ARGV[2] + ARGV[4]), -(ARGV[3] + ARGV[5]))
count(KEYS[3], 'forwarded', tonumber(ARGV[2]), tonumber(ARGV[3]))
count(KEYS[3], 'aside', tonumber(ARGV[4]), tonumber(ARGV[5]))
return 1
