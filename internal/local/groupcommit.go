package local

import (
	"context"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// groupCommit pushes the envelopes of requests that arrive at the same time in one
// step. While one push of a stream is under way, further envelopes of the stream wait
// for the next push. A function on Lambda serves one request at a time, so that the
// queue itself does not need this. It is safe for concurrent use.
type groupCommit struct {
	Queue

	mu      sync.Mutex
	waiting map[string][]*waitingPush // by stream; has an entry while pushes of the stream are under way
}

// waitingPush is a call of Push that waits for its result.
type waitingPush struct {
	ctx      context.Context
	envelope []byte
	pushed   queue.Pushed
	err      error
	done     chan struct{} // closed when pushed and err are set
}

func newGroupCommit(q Queue) *groupCommit {
	return &groupCommit{Queue: q, waiting: make(map[string][]*waitingPush)}
}

// Push is Push of the queue. The envelopes of a stream with a limit are pushed one by
// one, because a group could exceed the limit although its first envelopes do not.
func (g *groupCommit) Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (queue.Pushed, error) {
	if maxBacklogBytes > 0 {
		return g.Queue.Push(ctx, stream, envelope, maxBacklogBytes)
	}
	w := &waitingPush{ctx: ctx, envelope: envelope, done: make(chan struct{})}
	g.mu.Lock()
	waiting, busy := g.waiting[stream]
	g.waiting[stream] = append(waiting, w)
	g.mu.Unlock()
	if !busy {
		go g.pushAll(context.WithoutCancel(ctx), stream)
	}
	select {
	case <-w.done:
		return w.pushed, w.err
	case <-ctx.Done():
		// As after a lost answer, the envelope may be in the queue.
		return queue.Pushed{}, ctx.Err()
	}
}

// pushAll pushes the waiting envelopes of a stream until none waits.
func (g *groupCommit) pushAll(ctx context.Context, stream string) {
	for {
		group := g.next(stream)
		if len(group) == 0 {
			return
		}
		pushed, err := g.pushGroup(ctx, stream, group)
		for _, w := range group {
			w.pushed, w.err = pushed, err
			pushed.WakeDue = false // One caller sends the wake-up.
			close(w.done)
		}
	}
}

// next removes the next group of a stream. Envelopes whose callers have given up are
// left out. An empty group means that no envelope waits.
func (g *groupCommit) next(stream string) []*waitingPush {
	g.mu.Lock()
	defer g.mu.Unlock()
	var group []*waitingPush
	waiting, bytes := g.waiting[stream], 0
	for len(waiting) > 0 {
		w := waiting[0]
		if w.ctx.Err() == nil {
			if bytes += len(w.envelope); len(group) > 0 && (len(group) == queue.MaxPartEnvelopes || bytes > queue.MaxPartBytes) {
				break
			}
			group = append(group, w)
		}
		waiting = waiting[1:]
	}
	if len(group) == 0 {
		delete(g.waiting, stream)
	} else {
		g.waiting[stream] = waiting
	}
	return group
}

func (g *groupCommit) pushGroup(ctx context.Context, stream string, group []*waitingPush) (queue.Pushed, error) {
	if len(group) == 1 {
		return g.Queue.Push(ctx, stream, group[0].envelope, 0)
	}
	envelopes := make([][]byte, len(group))
	for i, w := range group {
		envelopes[i] = w.envelope
	}
	part, err := g.Queue.PushPart(ctx, stream, queue.Part{Envelopes: envelopes}, 0)
	return part.Pushed, err
}
