package queue

import (
	"context"
	"crypto/sha1" // #nosec G505 -- Redis identifies scripts by their SHA-1.
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed prelude.lua
var prelude string

//go:embed push.lua
var pushSource string

//go:embed push_part.lua
var pushPartSource string

//go:embed claim.lua
var claimSource string

//go:embed ack.lua
var ackSource string

//go:embed release.lua
var releaseSource string

//go:embed reclaim.lua
var reclaimSource string

//go:embed recover.lua
var recoverSource string

//go:embed expired.lua
var expiredSource string

//go:embed inspect.lua
var inspectSource string

//go:embed reconcile.lua
var reconcileSource string

//go:embed check.lua
var checkSource string

var (
	pushScript      = newScript(pushSource)
	pushPartScript  = newScript(prelude + pushPartSource)
	claimScript     = newScript(prelude + claimSource)
	ackScript       = newScript(prelude + ackSource)
	releaseScript   = newScript(prelude + releaseSource)
	reclaimScript   = newScript(prelude + reclaimSource)
	recoverScript   = newScript(prelude + recoverSource)
	expiredScript   = newScript(prelude + expiredSource)
	inspectScript   = newScript(prelude + inspectSource)
	reconcileScript = newScript(prelude + reconcileSource)
	checkScript     = newScript(checkSource)
)

// script is a Lua script and the digest by which Redis identifies it.
type script struct{ source, sha string }

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) // #nosec G401 -- As above.
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

// once is a command that go-redis does not send again after it may have reached the
// server. The cluster client still follows MOVED and ASK, and retries after
// READONLY: those answers say that the command did not run.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// processor is a client, or one connection of a client.
type processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// run runs the script at most once.
func (s script) run(ctx context.Context, on processor, keys []string, args ...any) answer {
	cmd := s.command(ctx, "evalsha", s.sha, keys, args)
	err := on.Process(ctx, cmd)
	if isUnknownScript(err) {
		cmd = s.command(ctx, "eval", s.source, keys, args)
		err = on.Process(ctx, cmd)
	}
	if err != nil {
		return answer{err: classify(err)}
	}
	return answer{value: cmd.Val()}
}

// runTwice is run for scripts of the drainer, which can be repeated. It runs the
// script once more when the keys are not on the node that the script reached: a
// serverless cache that scales answers so.
func (s script) runTwice(ctx context.Context, on processor, keys []string, args ...any) answer {
	a := s.run(ctx, on, keys, args...)
	if says(a.err, "non local key") {
		a = s.run(ctx, on, keys, args...)
	}
	return a
}

func (s script) command(ctx context.Context, verb, what string, keys []string, args []any) once {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, verb, what, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return once{redis.NewCmd(ctx, append(all, args...)...)}
}

// isUnknownScript reports whether Redis does not have the script: then the script
// did not run.
func isUnknownScript(err error) bool {
	return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT")
}

var (
	// ErrNoReplicas means that Redis refuses writes because it has fewer replicas
	// than its setting min-replicas-to-write. The call changed nothing.
	ErrNoReplicas = errors.New("too few replicas")
	// ErrWrongType means that a key of the stream holds another type than the queue's.
	ErrWrongType = errors.New("a key has another type")
)

// classify adds the error value that callers branch on to an answer of Redis.
func classify(err error) error {
	switch {
	case says(err, "NOREPLICAS"):
		return fmt.Errorf("%w: %w", ErrNoReplicas, err)
	case says(err, "WRONGTYPE"):
		return fmt.Errorf("%w: %w", ErrWrongType, err)
	}
	return err
}

// says reports whether err is an answer of Redis that contains text. Redis before
// version 7 gives the code of an error inside a script only in the text.
func says(err error, text string) bool {
	return isAnswer(err) && strings.Contains(err.Error(), text)
}

// isAnswer reports whether the error is an answer of Redis: then Redis is reachable.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}
