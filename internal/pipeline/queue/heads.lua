-- Reads the beginning of the first envelope of each claim.
--
-- KEYS[…] claims' lists
-- ARGV[1] bytes wanted of each
--
-- Returns {beginning or '', …} in the order of KEYS. O(claims).
local heads = {}
for i, key in ipairs(KEYS) do
  heads[i] = string.sub(redis.call('LINDEX', key, 0) or '', 1, tonumber(ARGV[1]))
end
return heads
