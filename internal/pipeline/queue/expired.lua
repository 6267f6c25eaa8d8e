-- Lists the claims of a queue whose lease has expired.
--
-- KEYS[1] claims
--
-- Returns {id, …}. O(log claims + answer). It is a script because the server's
-- clock decides.
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now())
