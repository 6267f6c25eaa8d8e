-- Deletes a claim. Each of its envelopes was forwarded or is a dead letter.
--
-- KEYS[1] claims
-- KEYS[2] claim
-- KEYS[3] stats
-- ARGV[1] id of the claim
-- ARGV[2] number of forwarded records, ARGV[3] bytes of their envelopes
-- ARGV[4] number of dead letters, ARGV[5] bytes of their envelopes
--
-- Returns 1. Returns 0, and changes nothing, when the claim does not exist: it was
-- acknowledged before, or its lease expired and it was returned to the queue.
--
-- O(records of the claim). Atomic, so that a claim is counted once. The first write
-- is a DEL, which a Redis at its memory limit accepts.
if redis.call('DEL', KEYS[2]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
count(KEYS[3], 'claimed', -(ARGV[2] + ARGV[4]), -(ARGV[3] + ARGV[5]))
count(KEYS[3], 'forwarded', tonumber(ARGV[2]), tonumber(ARGV[3]))
count(KEYS[3], 'aside', tonumber(ARGV[4]), tonumber(ARGV[5]))
return 1
