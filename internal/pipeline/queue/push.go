package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrBacklogFull means that a push would take the backlog of its stream over the limit.
var ErrBacklogFull = errors.New("the backlog is full")

// Pushed is the result of a Push.
type Pushed struct {
	// Depth is the number of envelopes in the queue after the push.
	Depth int64
	// WakeDue reports whether the caller must send the stream's wake-up.
	WakeDue bool
}

// Push appends an envelope to a stream's queue. If it returns no error, the envelope
// is in Redis and on Options.WaitReplicas replicas. After any error except
// ErrBacklogFull the envelope may nevertheless be in the queue, because the answer may
// have been lost: the caller must store the record elsewhere, and the record may
// arrive twice.
//
// maxBacklogBytes limits the bytes of the stream's queue and claims; 0 is no limit.
// Over the limit Push changes nothing and returns ErrBacklogFull. Push sends the
// envelope at most once, and ends with ctx or after Options.PushTimeout.
func (q *Queue) Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (Pushed, error) {
	k := q.keys(stream)
	pushed, err := parsePushed(q.push(ctx, pushScript, []string{k.queue, k.stats, k.wake},
		envelope, q.options.WakeInterval.Milliseconds(), maxBacklogBytes))
	if err != nil {
		return Pushed{}, fmt.Errorf("pushing to %s: %w", k.queue, err)
	}
	return pushed, nil
}

func parsePushed(a answer) (Pushed, error) {
	n, err := a.number()
	switch {
	case err != nil:
		return Pushed{}, err
	case n == 0:
		return Pushed{}, ErrBacklogFull
	case n < 0:
		return Pushed{Depth: -n, WakeDue: true}, nil
	default:
		return Pushed{Depth: n}, nil
	}
}

// push runs a script that pushes, within Options.PushTimeout, and waits for
// Options.WaitReplicas.
func (q *Queue) push(ctx context.Context, s script, keys []string, args ...any) answer {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > q.options.PushTimeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.options.PushTimeout)
		defer cancel()
	}
	if q.options.WaitReplicas > 0 {
		return q.pushAndWait(ctx, s, keys, args)
	}
	return s.run(ctx, q.client, keys, args...)
}

// pushAndWait pushes and sends WAIT on the same connection: WAIT counts the
// replicas that have what its own connection wrote.
func (q *Queue) pushAndWait(ctx context.Context, s script, keys []string, args []any) answer {
	master, err := q.master(ctx, keys[0])
	if err != nil {
		return answer{err: err}
	}
	conn := master.Conn()
	defer func() { _ = conn.Close() }() // It returns to the pool.

	verb, what := "evalsha", s.sha
	for {
		push := s.command(ctx, verb, what, keys, args)
		wait := redis.NewIntCmd(ctx, "wait", q.options.WaitReplicas, waitMillis(ctx))
		_, err := conn.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			return errors.Join(pipe.Process(ctx, push), pipe.Process(ctx, wait))
		})
		switch {
		case verb == "evalsha" && isUnknownScript(push.Err()):
			verb, what = "eval", s.source
			continue
		case push.Err() != nil:
			q.reloadWhenMoved(ctx, push.Err())
			return answer{err: classify(push.Err())}
		case err != nil:
			return answer{err: fmt.Errorf("waiting for replicas: %w", err)}
		case wait.Val() < int64(q.options.WaitReplicas):
			return answer{err: fmt.Errorf("waiting for replicas: %d have the record, want %d", wait.Val(), q.options.WaitReplicas)}
		}
		return answer{value: push.Val()}
	}
}

// master returns the client of the node that owns key.
func (q *Queue) master(ctx context.Context, key string) (*redis.Client, error) {
	switch client := q.client.(type) {
	case *redis.ClusterClient:
		node, err := client.MasterForKey(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("finding the node: %w", err)
		}
		return node, nil
	case *redis.Client:
		return client, nil
	default:
		return nil, fmt.Errorf("client of type %T", q.client)
	}
}

// reloadWhenMoved makes the cluster client read the new layout, as it does itself
// for commands that it routes.
func (q *Queue) reloadWhenMoved(ctx context.Context, err error) {
	cluster, ok := q.client.(*redis.ClusterClient)
	if ok && (redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "READONLY")) {
		cluster.ReloadState(ctx)
	}
}

// waitMillis returns the time-out of a WAIT that must answer before ctx ends: three
// quarters of the time that is left, and at least 1 ms, because 0 would wait
// without end.
func waitMillis(ctx context.Context) int64 {
	deadline, _ := ctx.Deadline() // push has set one.
	return max(1, time.Until(deadline).Milliseconds()*3/4)
}
