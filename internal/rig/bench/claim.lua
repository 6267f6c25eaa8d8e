-- The least that moves records from a queue into a claim.
--
-- KEYS[1] queue
-- KEYS[2] claim
-- ARGV[1] most records of a claim
--
-- Returns {record, …}. O(records). Atomic, so that a record is at every moment in
-- one of the two lists.
local records = redis.call('LPOP', KEYS[1], ARGV[1])
if not records then
  return {}
end
redis.call('RPUSH', KEYS[2], unpack(records))
return records
