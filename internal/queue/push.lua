-- Appends an envelope to a queue and says whether a wake-up is due.
--
-- KEYS[1] queue
-- KEYS[2] stats
-- KEYS[3] wake
-- ARGV[1] envelope
-- ARGV[2] wake interval in milliseconds
-- ARGV[3] bound on the bytes of the backlog, claims included; 0 for none
--
-- Returns {depth, 1 if a wake-up is due else 0}, or {-1, 0} when the envelope
-- would take the backlog over its bound: then nothing was pushed.
--
-- O(1). Atomic, so that the counters always agree with the lists and only one
-- of many callers is told to send the wake-up. The first write needs memory: a
-- Redis at its limit refuses the envelope before anything has changed.
local bound = tonumber(ARGV[3])
if bound > 0 then
  local stats = redis.call('HMGET', KEYS[2], 'acceptedBytes', 'forwardedBytes', 'asideBytes')
  local backlog = (stats[1] or 0) - (stats[2] or 0) - (stats[3] or 0)
  if backlog + #ARGV[1] > bound then
    return { -1, 0 }
  end
end

local depth = redis.call('RPUSH', KEYS[1], ARGV[1])
count(KEYS[2], 'accepted', 1, #ARGV[1])
local due = redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[2])
return { depth, due and 1 or 0 }
