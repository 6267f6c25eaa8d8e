-- Functions that the scripts share; this file stands before those that
-- need one of them.

-- Lua's unpack is bounded by the stack of the interpreter: push in parts.
local PART = 500

-- now is the server's clock in milliseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- append pushes values[from..] to the tail of the list at key, in their order.
local function append(key, values, from)
  for first = from, #values, PART do
    redis.call('RPUSH', key, unpack(values, first, math.min(first + PART - 1, #values)))
  end
end

-- prepend pushes values[from..] to the head of the list at key, so that
-- values[from] comes first.
local function prepend(key, values, from)
  for last = #values, from, -PART do
    local part = {}
    for i = last, math.max(last - PART + 1, from), -1 do
      part[#part + 1] = values[i]
    end
    redis.call('LPUSH', key, unpack(part))
  end
end

-- size is the sum of the lengths of values, in bytes.
local function size(values)
  local bytes = 0
  for _, value in ipairs(values) do
    bytes = bytes + #value
  end
  return bytes
end

-- count adds to a pair of counters: records, and bytes of their envelopes.
local function count(stats, what, records, bytes)
  if records ~= 0 then
    redis.call('HINCRBY', stats, what, records)
    redis.call('HINCRBY', stats, what .. 'Bytes', bytes)
  end
end
