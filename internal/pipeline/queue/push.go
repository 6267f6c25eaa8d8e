package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Pushed is what Push learned on the way.
type Pushed struct {
	// Depth is the number of envelopes in the queue, this one included.
	Depth int64
	// WakeDue reports whether the caller has to send the stream's wake-up.
	WakeDue bool
}

// Push appends an envelope to a stream's queue. When it returns no error the
// envelope is in Redis, and on as many replicas as the options demand. After an
// error it may be there all the same, for the answer may have been lost: the
// caller must see to the record, and the record may arrive twice.
//
// maxBacklogBytes bounds the bytes of the stream's queue and claims, 0 for no
// bound; past it Push changes nothing and returns ErrBacklogFull. The push is
// never sent twice and ends with ctx or after Options.PushTimeout.
func (q *Queue) Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (Pushed, error) {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > q.options.PushTimeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.options.PushTimeout)
		defer cancel()
	}
	k := q.keys(stream)
	keys := []string{k.queue, k.stats, k.wake}
	args := []any{envelope, q.options.WakeInterval.Milliseconds(), maxBacklogBytes}

	var answer any
	var err error
	if q.options.WaitReplicas > 0 {
		answer, err = q.pushAndWait(ctx, keys, args)
	} else {
		answer, err = pushScript.run(ctx, q.client, keys, args...)
	}
	if err != nil {
		return Pushed{}, fmt.Errorf("pushing to %s: %w", k.queue, err)
	}
	pushed, err := parsePushed(answer)
	if err != nil {
		return Pushed{}, fmt.Errorf("pushing to %s: %w", k.queue, err)
	}
	return pushed, nil
}

func parsePushed(answer any) (Pushed, error) {
	n, err := number(answer)
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

// pushAndWait pushes and sends WAIT behind it on the same connection: WAIT
// counts the replicas that have what its own connection wrote.
func (q *Queue) pushAndWait(ctx context.Context, keys []string, args []any) (any, error) {
	master, err := q.master(ctx, keys[0])
	if err != nil {
		return nil, err
	}
	conn := master.Conn()
	defer func() { _ = conn.Close() }() // It goes back to the pool.

	verb, what := "evalsha", pushScript.sha
	for {
		push := pushScript.command(ctx, verb, what, keys, args)
		wait := redis.NewIntCmd(ctx, "wait", q.options.WaitReplicas, waitMillis(ctx))
		_, err := conn.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			return errors.Join(pipe.Process(ctx, push), pipe.Process(ctx, wait))
		})
		switch {
		case verb == "evalsha" && isUnknownScript(push.Err()):
			verb, what = "eval", pushScript.source
			continue
		case push.Err() != nil:
			q.reloadWhenMoved(ctx, push.Err())
			return nil, push.Err()
		case err != nil:
			return nil, fmt.Errorf("waiting for replicas: %w", err)
		case wait.Val() < int64(q.options.WaitReplicas):
			return nil, fmt.Errorf("waiting for replicas: %d have the record, want %d", wait.Val(), q.options.WaitReplicas)
		}
		return push.Val(), nil
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

// reloadWhenMoved has the cluster client learn the new layout, as it does by
// itself for commands that it routes.
func (q *Queue) reloadWhenMoved(ctx context.Context, err error) {
	cluster, ok := q.client.(*redis.ClusterClient)
	if ok && (redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "READONLY")) {
		cluster.ReloadState(ctx)
	}
}

// waitMillis is the time-out of a WAIT that has to answer before ctx ends: three
// quarters of what is left, and at least 1, for 0 would wait without end.
func waitMillis(ctx context.Context) int64 {
	deadline, _ := ctx.Deadline() // Push set one.
	return max(1, time.Until(deadline).Milliseconds()*3/4)
}
