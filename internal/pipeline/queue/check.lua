-- Runs commands once on scratch keys and returns those that the user may not run.
--
-- KEYS[1] list
-- KEYS[2] sorted set
-- KEYS[3] hash
-- KEYS[4] another hash
-- KEYS[5] string
-- ARGV names of commands
--
-- Returns {name, …}. A command that fails for another reason, such as the memory
-- limit or missing replicas, is not returned.
--
-- O(commands). Atomic, so that calls of several functions do not disturb each
-- other. All keys are deleted at the end.
local list, set, hash, other, text = unpack(KEYS)
local arguments = {
  DEL = { list, set, hash, other, text },
  EXISTS = { text },
  HDEL = { hash, 'absent' },
  HGET = { hash, 'field' },
  HGETALL = { hash },
  HINCRBY = { hash, 'field', 1 },
  HLEN = { hash },
  HMGET = { hash, 'field', 'absent' },
  HSET = { hash, 'field', 1 },
  LINDEX = { list, 0 },
  LLEN = { list },
  LPUSH = { list, 'x' },
  LRANGE = { list, 0, -1 },
  LTRIM = { list, 0, -1 },
  PEXPIRE = { hash, 1000 },
  PTTL = { hash },
  RENAME = { hash, other },
  RPUSH = { list, 'x' },
  SET = { text, 1, 'PX', 1000 },
  TIME = {},
  UNLINK = { other },
  ZADD = { set, 1, 'x' },
  ZRANGE = { set, 0, -1 },
  ZRANGEBYSCORE = { set, '-inf', 0 },
  ZREM = { set, 'x' },
  ZSCORE = { set, 'x' },
}
-- In the words of Redis 7 and later, and of Redis 6.
local refusals = { 'NOPERM', "can't run this command", 'Unknown Redis command' }

local missing = {}
for _, name in ipairs(ARGV) do
  local answer = redis.pcall(name, unpack(arguments[name]))
  local problem = type(answer) == 'table' and answer.err or ''
  for _, refusal in ipairs(refusals) do
    if string.find(problem, refusal, 1, true) then
      missing[#missing + 1] = name
      break
    end
  end
end
redis.pcall('DEL', unpack(KEYS))
return missing
