package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// scriptCommands are the commands of the queue's scripts that the ACL fault
// revokes one at a time. Without any of them some script stops midway.
var scriptCommands = []string{"time", "rpush", "lpush", "lpop", "lrange", "del", "zadd", "zrem", "hincrby", "evalsha"}

// refuseCommand revokes one command of Redis from the functions for a while.
func (s *suite) refuseCommand(command string) fault {
	return fault{"refuse " + strings.ToUpper(command) + " by ACL", func(ctx context.Context, random *rand.Rand) (bool, error) {
		s.refusedCommands.Store(true)
		err := s.redis.setACL(ctx, "-"+command)
		hold(ctx, random)
		// The restoration must not end with ctx.
		return err == nil, errors.Join(err, s.redis.setACL(context.WithoutCancel(ctx), "+"+command))
	}}
}

// setACL changes the permissions of the user that the functions connect as.
func (r *redisServer) setACL(ctx context.Context, rule string) error {
	for _, n := range r.nodes {
		if err := n.client.ACLSetUser(ctx, "default", rule).Err(); err != nil {
			return fmt.Errorf("changing the permissions of the Redis user to %s: %w", rule, err)
		}
	}
	return nil
}
