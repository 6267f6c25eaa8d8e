package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The commands of the scripts, by the function that runs them.
var (
	pushCommands = []string{
		"EXISTS", "HGET", "HINCRBY", "HLEN", "HMGET", "HSET", "LLEN", "PEXPIRE", "PTTL", "RENAME", "RPUSH", "SET", "UNLINK",
	}
	drainCommands = []string{
		"DEL", "EXISTS", "HDEL", "HGETALL", "HINCRBY", "HMGET", "HSET", "LINDEX", "LLEN", "LPUSH", "LRANGE", "LTRIM", "RPUSH", "TIME",
		"ZADD", "ZRANGE", "ZRANGEBYSCORE", "ZREM", "ZSCORE",
	}
	// clientCommands are run outside of scripts: asking, cluster and command by the
	// client of a cluster.
	clientCommands = []string{"asking", "cluster|slots", "command", "eval", "evalsha", "info", "ping", "scan", "wait"}
)

// ACL returns the rules of a Redis user that may do exactly what the functions of a
// deployment do, in the syntax of ACL SETUSER.
func ACL(deployment string) string {
	commands := slices.Clone(clientCommands)
	for _, name := range slices.Concat(pushCommands, drainCommands) {
		commands = append(commands, strings.ToLower(name))
	}
	slices.Sort(commands)
	return "~" + deployment + ":* -@all +" + strings.Join(slices.Compact(commands), " +")
}

// ErrPermission means that the Redis user may not run a command that the queue needs.
var ErrPermission = errors.New("the Redis user may not run a command")

// CheckPush runs each command of a push once on scratch keys. The error is
// ErrPermission when the user may not run some of them, and names these. Call it
// once a process, and not while a client waits.
func (q *Queue) CheckPush(ctx context.Context) error {
	return q.check(ctx, pushCommands)
}

// CheckDrain is CheckPush for the commands of the drainer.
func (q *Queue) CheckDrain(ctx context.Context) error {
	return q.check(ctx, drainCommands, redis.NewScanCmd(ctx, nil, "scan", 0, "count", 1), redis.NewStringCmd(ctx, "info", "memory"))
}

// check runs the commands of scripts on scratch keys, and others as they are. The
// deployment's prefix without a brace after it keeps the scratch keys out of Scan.
func (q *Queue) check(ctx context.Context, commands []string, others ...redis.Cmder) error {
	keys := make([]string, 5)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s:scratch:{check}:%d", q.options.Deployment, i)
	}
	args := make([]any, len(commands))
	for i, name := range commands {
		args[i] = name
	}
	missing, err := checkScript.runTwice(ctx, q.client, keys, args...).texts()
	if err != nil {
		return fmt.Errorf("checking the permissions of the Redis user: %w", permission(err))
	}
	// The script may have been loaded already, so that the call did not need EVAL.
	others = append(others, redis.NewCmd(ctx, "eval", "return 0", 1, keys[0]))
	for _, cmd := range others {
		if says(q.client.Process(ctx, cmd), "NOPERM") {
			missing = append(missing, strings.ToUpper(cmd.Name()))
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("checking the permissions of the Redis user: %w: %s", ErrPermission, strings.Join(missing, ", "))
	}
	return nil
}

// permission adds ErrPermission to the answer to a user who may not run scripts or
// use the keys.
func permission(err error) error {
	if says(err, "NOPERM") {
		return fmt.Errorf("%w: %w", ErrPermission, err)
	}
	return err
}
