-- Returns a claim that no lease names to the head of its queue.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] claim
-- KEYS[4] a key that never exists
-- ARGV[1] id of the claim
--
-- Returns the number of envelopes that were returned: 0 when a lease names the
-- claim or the claim does not exist.
--
-- Such a claim remains when Redis stopped a script midway. The counters are not
-- changed, because it is unknown which of them that script had changed;
-- reconcile.lua corrects them.
--
-- O(records of the claim). Atomic: no other script can create or delete the lease
-- meanwhile. The first write is a DEL that deletes nothing: a Redis at its memory
-- limit accepts it, and then the LPUSH after it. If the user may not run DEL, the
-- script stops there, so that it does not return the same claim again and again.
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 0
end
local envelopes = redis.call('LRANGE', KEYS[3], 0, -1)
redis.call('DEL', KEYS[4])
prepend(KEYS[1], envelopes, 1)
redis.call('DEL', KEYS[3])
return #envelopes
