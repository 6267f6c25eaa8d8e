-- Reads the state of a queue.
--
-- KEYS[1] queue
-- KEYS[2] claims
-- KEYS[3] stats
-- ARGV[1] bytes wanted of the first envelope
--
-- Returns {depth, beginning of the first envelope or '', {id of claim, …},
-- {counter, value, …}}.
--
-- O(claims). Atomic, so that the numbers belong together: accepted = queued +
-- claimed + forwarded + put aside.
local first = redis.call('LINDEX', KEYS[1], 0) or ''
return {
  redis.call('LLEN', KEYS[1]),
  string.sub(first, 1, tonumber(ARGV[1])),
  redis.call('ZRANGE', KEYS[2], 0, -1),
  redis.call('HGETALL', KEYS[3]),
}
