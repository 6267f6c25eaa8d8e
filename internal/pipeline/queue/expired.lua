-- Lists the claims of a queue whose lease has run out.
--
-- KEYS[1] claims
--
-- Returns {id, …}. O(log claims + answer). A script for the server's clock.
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now())
