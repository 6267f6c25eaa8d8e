package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

const (
	// replicationTime is longer than a write needs to reach the replica.
	replicationTime = 300 * time.Millisecond
	// minReplicasLag is the lag in seconds at which a replica no longer counts for
	// min-replicas-to-write.
	minReplicasLag = 2
	// refusedAfter is the time after which a partitioned primary with
	// min-replicas-to-write refuses every write: the lag, and two seconds because
	// Redis counts whole seconds and checks once a second.
	refusedAfter = (minReplicasLag + 2) * time.Second
	// syncTimeout bounds the wait until a replica is in sync.
	syncTimeout = time.Minute
)

// window is the time in which the functions were partitioned with the old primary.
type window struct {
	minReplicas int
	// begun is shortly before the partition, so that everything that was accepted
	// before it is on the replica.
	begun, partitioned, ended time.Time
	// backlog is the largest number of records that the replica had then.
	backlog int
}

// partitions records which accepted records a partition of Redis may lose. Safe for
// concurrent use.
type partitions struct {
	mu      sync.Mutex
	windows []*window
	exposed map[int]exposure // by number of the record
}

// exposure is an answer within a window.
type exposure struct {
	window   *window
	answered time.Time
}

func newPartitions() *partitions { return &partitions{exposed: make(map[int]exposure)} }

// begin opens a window.
func (p *partitions) begin(minReplicas int) *window {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &window{minReplicas: minReplicas, begun: time.Now()}
	p.windows = append(p.windows, w)
	return w
}

// end closes a window: the functions write to the new primary.
func (p *partitions) end(w *window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.ended = time.Now()
}

// accepted records that record n was sent and accepted.
func (p *partitions) accepted(n int, sent, answered time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.windows {
		if answered.After(w.begun) && (w.ended.IsZero() || sent.Before(w.ended)) {
			p.exposed[n] = exposure{window: w, answered: answered}
		}
	}
}

// split divides lost records into those that a partition may lose and the others.
func (p *partitions) split(lost []int) (partitioned, others []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range lost {
		e, exposed := p.exposed[n]
		switch {
		case !exposed, e.window.minReplicas > 0 && e.answered.Sub(e.window.partitioned) > refusedAfter:
			others = append(others, n)
		default:
			partitioned = append(partitioned, n)
		}
	}
	return partitioned, others
}

// between reports whether Redis failed over between two moments.
func (p *partitions) between(a, b time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.windows, func(w *window) bool { return a.Before(w.ended) && b.After(w.begun) })
}

// count returns the number of partitions, of the records that were accepted
// meanwhile, and of those that the replicas may have delivered again.
func (p *partitions) count() (windows, exposed, repeated int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.windows {
		repeated += w.backlog
	}
	return len(p.windows), len(p.exposed), repeated
}

// partition separates the primary and all functions from the replica, promotes the
// replica, moves the functions to it, and lets the old primary return as its
// replica. What the old primary accepted alone is lost; what drainers forwarded from
// it is forwarded again.
func (s *suite) partition(minReplicas int, lasts time.Duration) action {
	return func(ctx context.Context, _ *rand.Rand) (bool, error) {
		primary, replica := s.redis.nodes[0], s.redis.replica
		if err := primary.awaitReplica(ctx); err != nil {
			return false, err
		}
		if err := primary.requireReplicas(ctx, minReplicas); err != nil {
			return false, err
		}
		w := s.partitions.begin(minReplicas)
		backoff.Sleep(ctx, replicationTime)
		s.claims.partitioned(true)
		s.redis.replication.way.set(partitioned)
		w.partitioned = time.Now()
		queued, err := s.queued(ctx)
		if err != nil {
			return false, err
		}
		w.backlog = int(queued) + s.claims.settledInPartition()
		backoff.Sleep(ctx, lasts)
		if err := replica.client.Do(ctx, "REPLICAOF", "NO", "ONE").Err(); err != nil {
			return false, fmt.Errorf("promoting the replica: %w", err)
		}
		s.redis.nodes[0], s.redis.replica = replica, primary
		s.redis.suite.way.redirect(replica.Addr)
		for _, l := range []*link{s.links.ingestRedis, s.links.drainerRedis} {
			l.ways[0].redirect(replica.Addr)
		}
		s.partitions.end(w)
		s.claims.partitioned(false)
		s.log.printf("promoted the replica")

		s.redis.replication.way.redirect(replica.Addr)
		s.redis.replication.way.set(whole)
		if err := primary.requireReplicas(ctx, 0); err != nil {
			return false, err
		}
		if err := primary.follow(ctx, s.redis.replication.addr()); err != nil {
			return false, err
		}
		return true, replica.awaitReplica(ctx)
	}
}

// requireReplicas sets the number of replicas without which the node refuses
// writes.
func (n *redisNode) requireReplicas(ctx context.Context, replicas int) error {
	if err := n.client.ConfigSet(ctx, "min-replicas-max-lag", fmt.Sprint(minReplicasLag)).Err(); err != nil {
		return fmt.Errorf("setting min-replicas-max-lag: %w", err)
	}
	if err := n.client.ConfigSet(ctx, "min-replicas-to-write", fmt.Sprint(replicas)).Err(); err != nil {
		return fmt.Errorf("setting min-replicas-to-write: %w", err)
	}
	return nil
}

// follow makes the node a replica of the node at an address.
func (n *redisNode) follow(ctx context.Context, addr string) error {
	host, port, _ := strings.Cut(addr, ":")
	if err := n.client.Do(ctx, "REPLICAOF", host, port).Err(); err != nil {
		return fmt.Errorf("making a replica of %s: %w", addr, err)
	}
	return nil
}

// awaitReplica waits until the node has a replica that is in sync.
func (n *redisNode) awaitReplica(ctx context.Context) error {
	info := ""
	if !within(ctx, syncTimeout, func() bool {
		info = n.client.Info(ctx, "replication").Val()
		return slices.ContainsFunc(strings.Split(info, "\r\n"), func(line string) bool {
			return strings.HasPrefix(line, "slave0:") && strings.Contains(line, "state=online") && !strings.HasSuffix(line, "lag=-1")
		})
	}) {
		return fmt.Errorf("no replica is in sync after %v: %s", syncTimeout, info)
	}
	return nil
}
