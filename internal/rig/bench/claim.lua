-- The smallest script that moves records from a queue into a claim.
--
-- KEYS[1] queue
-- KEYS[2] claim
-- ARGV[1] maximum number of records
--
-- Returns {record, …}. O(records). Atomic, so that each record is always in one of
-- the two lists.
local records = redis.call('LPOP', KEYS[1], ARGV[1])
if not records then
  return {}
end
redis.call('RPUSH', KEYS[2], unpack(records))
return records
