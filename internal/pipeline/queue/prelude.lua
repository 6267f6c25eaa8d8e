-- Functions that several scripts share. This file is put before the scripts that
-- need one of them.

-- PART is the number of values that one RPUSH or LPUSH takes: the stack of the Lua
-- interpreter bounds unpack.
local PART = 500

-- now returns the server's clock in milliseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- append pushes values[from..] to the tail of the list at key, in order.
local function append(key, values, from)
  for first = from, #values, PART do
    redis.call('RPUSH', key, unpack(values, first, math.min(first + PART - 1, #values)))
  end
end

-- prepend pushes values[from..] to the head of the list at key, so that
-- values[from] is the new first element.
local function prepend(key, values, from)
  for last = #values, from, -PART do
    local part = {}
    for i = last, math.max(last - PART + 1, from), -1 do
      part[#part + 1] = values[i]
    end
    redis.call('LPUSH', key, unpack(part))
  end
end

-- size returns the sum of the lengths of values, in bytes.
local function size(values)
  local bytes = 0
  for _, value in ipairs(values) do
    bytes = bytes + #value
  end
  return bytes
end

-- count adds to a pair of counters: the number of records, and the bytes of their
-- envelopes.
local function count(stats, name, records, bytes)
  if records ~= 0 then
    redis.call('HINCRBY', stats, name, records)
    redis.call('HINCRBY', stats, name .. 'Bytes', bytes)
  end
end

-- unchanged reports whether the claims of a queue are exactly those whose ids the
-- caller passed in ARGV[from..]. The caller read the ids with an earlier call,
-- because it must declare the list of each claim in KEYS.
local function unchanged(ids, from)
  if #ids ~= #ARGV - from + 1 then
    return false
  end
  for i = 1, #ids do
    if ids[i] ~= ARGV[from + i - 1] then
      return false
    end
  end
  return true
end
