package queue

import (
	"context"
	"crypto/sha1" // #nosec G505 -- Redis names scripts by SHA-1.
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

//go:embed prelude.lua
var prelude string

//go:embed push.lua
var pushSource string

//go:embed claim.lua
var claimSource string

//go:embed ack.lua
var ackSource string

//go:embed release.lua
var releaseSource string

//go:embed reclaim.lua
var reclaimSource string

//go:embed expired.lua
var expiredSource string

//go:embed inspect.lua
var inspectSource string

//go:embed heads.lua
var headsSource string

var (
	pushScript    = newScript(pushSource)
	claimScript   = newScript(prelude + claimSource)
	ackScript     = newScript(prelude + ackSource)
	releaseScript = newScript(prelude + releaseSource)
	reclaimScript = newScript(prelude + reclaimSource)
	expiredScript = newScript(prelude + expiredSource)
	inspectScript = newScript(inspectSource)
	headsScript   = newScript(headsSource)
)

// script is a Lua script and the name by which Redis knows it.
type script struct{ source, sha string }

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) // #nosec G401 -- As above.
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

// once is a command that go-redis never sends again after it may have reached
// the server. The cluster client still follows MOVED and ASK, and tries again on
// READONLY: those say that the command did not run.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// processor is a client, or one connection of it.
type processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// run runs the script at most once.
func (s script) run(ctx context.Context, on processor, keys []string, args ...any) (any, error) {
	cmd := s.command(ctx, "evalsha", s.sha, keys, args)
	err := on.Process(ctx, cmd)
	if isUnknownScript(err) {
		cmd = s.command(ctx, "eval", s.source, keys, args)
		err = on.Process(ctx, cmd)
	}
	if err != nil {
		return nil, err
	}
	return cmd.Val(), nil
}

func (s script) command(ctx context.Context, verb, what string, keys []string, args []any) once {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, verb, what, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return once{redis.NewCmd(ctx, append(all, args...)...)}
}

// isUnknownScript reports whether Redis answered that it has to be told the
// script first: then it did not run.
func isUnknownScript(err error) bool {
	return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT")
}

// number reads an integer of a script's answer.
func number(v any) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("answer of type %T, want an integer", v)
	}
	return n, nil
}

// list reads an array of n elements, or of any number when n is negative.
func list(v any, n int) ([]any, error) {
	elements, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("answer of type %T, want an array", v)
	}
	if n >= 0 && len(elements) != n {
		return nil, fmt.Errorf("answer of %d elements, want %d", len(elements), n)
	}
	return elements, nil
}

// texts reads an array of strings.
func texts(v any) ([]string, error) {
	elements, err := list(v, -1)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(elements))
	for i, e := range elements {
		text, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("element of type %T, want a string", e)
		}
		all[i] = text
	}
	return all, nil
}

// isAnswer reports whether Redis itself said the error, so that it is reachable.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}
