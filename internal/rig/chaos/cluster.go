package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// clusterFaults are the faults that only a cluster can have: the links to one node
// fail, and the slot of a stream moves to another node.
func (s *suite) clusterFaults() []fault {
	one := func(l *link, c condition) action {
		return func(ctx context.Context, random *rand.Rand) (bool, error) {
			return s.under(l.part(random.IntN(len(l.ways))), c)(ctx, random)
		}
	}
	return []fault{
		s.renewing(fault{"cut the link from ingest to one node", one(s.links.ingestRedis, cut)}),
		{"cut the link from drainer to one node", one(s.links.drainerRedis, cut)},
		{"black-hole the link from drainer to one node", one(s.links.drainerRedis, unanswered)},
		s.renewing(fault{"move a slot", s.moveSlot}),
	}
}

// migrateTimeout is the time-out of the migration of one key.
const migrateTimeout = 5 * time.Second

// moveSlot moves the slot of a stream to the next node, key by key, under load.
// During the move Redis refuses scripts whose keys are on both nodes.
func (s *suite) moveSlot(ctx context.Context, random *rand.Rand) (bool, error) {
	name := streamList[random.IntN(len(streamList))].Name
	answer, err := s.redis.nodes[0].client.ClusterKeySlot(ctx, "{"+name+"}").Result()
	if err != nil {
		return false, fmt.Errorf("looking up the slot of %s: %w", name, err)
	}
	slot := int(answer)
	at, moved := s.redis.owners[slot]
	if !moved {
		at = redistest.Owner(slot, len(s.redis.nodes))
	}
	next := (at + 1) % len(s.redis.nodes)
	from, to := s.redis.nodes[at], s.redis.nodes[next]
	fromID, fromErr := from.client.Do(ctx, "CLUSTER", "MYID").Text()
	toID, toErr := to.client.Do(ctx, "CLUSTER", "MYID").Text()
	if err := errors.Join(fromErr, toErr); err != nil {
		return false, fmt.Errorf("moving slot %d: %w", slot, err)
	}
	if err := to.setSlot(ctx, slot, "IMPORTING", fromID); err != nil {
		return false, err
	}
	if err := from.setSlot(ctx, slot, "MIGRATING", toID); err != nil {
		return false, err
	}
	keys, err := moveKeys(ctx, from, to, slot, random)
	if err != nil {
		return false, err
	}
	// The new owner comes first, so that the slot always has an owner.
	for _, node := range []*redisNode{to, from, s.redis.nodes[(at+2)%len(s.redis.nodes)]} {
		if err := node.setSlot(ctx, slot, "NODE", toID); err != nil {
			return false, err
		}
	}
	s.redis.owners[slot] = next
	s.log.printf("moved slot %d of %s with %d keys", slot, name, keys)
	return true, ctx.Err()
}

func (n *redisNode) setSlot(ctx context.Context, slot int, state, id string) error {
	if err := n.client.Do(ctx, "CLUSTER", "SETSLOT", slot, state, id).Err(); err != nil {
		return fmt.Errorf("moving slot %d: %w", slot, err)
	}
	return nil
}

// moveKeys moves the keys of a slot one by one, with pauses between them.
func moveKeys(ctx context.Context, from, to *redisNode, slot int, random *rand.Rand) (moved int, err error) {
	host, port, err := net.SplitHostPort(to.Addr)
	if err != nil {
		return 0, fmt.Errorf("moving slot %d: %w", slot, err)
	}
	for {
		backoff.Sleep(ctx, time.Duration(10+random.IntN(90))*time.Millisecond)
		keys, err := from.client.ClusterGetKeysInSlot(ctx, slot, 1).Result()
		if err != nil {
			return moved, fmt.Errorf("moving slot %d: %w", slot, err)
		}
		if len(keys) == 0 {
			return moved, nil
		}
		answer, err := from.client.Migrate(ctx, host, port, keys[0], 0, migrateTimeout).Result()
		if err != nil {
			return moved, fmt.Errorf("moving %s: %w", keys[0], err)
		}
		if answer == "OK" { // NOKEY if the key has expired
			moved++
		}
	}
}
