package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// clusterFaults are what happens to a cluster beside what happens to any Redis:
// the links to one node go, and the slot of a stream moves to another node.
func (s *suite) clusterFaults() []fault {
	one := func(l *link, do func(*link) func(context.Context, *rand.Rand) (bool, error)) func(context.Context, *rand.Rand) (bool, error) {
		return func(ctx context.Context, random *rand.Rand) (bool, error) {
			return do(l.part(random.IntN(len(l.ways))))(ctx, random)
		}
	}
	return []fault{
		s.renewing(fault{"cut the link from ingest to one node", one(s.links.ingestRedis, s.cut)}),
		{"cut the link from drainer to one node", one(s.links.drainerRedis, s.cut)},
		{"swallow what is on the link from drainer to one node", one(s.links.drainerRedis, s.swallow)},
		s.renewing(fault{"move a slot", s.moveSlot}),
	}
}

// migrateTimeout is that of one key's move.
const migrateTimeout = 5 * time.Second

// moveSlot moves the slot of a stream to the next node, key by key, under load.
// Scripts whose keys are on both nodes are refused meanwhile.
func (s *suite) moveSlot(ctx context.Context, random *rand.Rand) (bool, error) {
	name := streamList[random.IntN(len(streamList))].Name
	answer, err := do(s.redis.nodes[0], "CLUSTER", "KEYSLOT", "{"+name+"}")
	if err != nil {
		return false, err
	}
	slot := answer.number()
	at, moved := s.redis.owners[slot]
	if !moved {
		at = redistest.Owner(slot, len(s.redis.nodes))
	}
	next := (at + 1) % len(s.redis.nodes)
	from, to := s.redis.nodes[at], s.redis.nodes[next]
	fromID, err := do(from, "CLUSTER", "MYID")
	if err != nil {
		return false, err
	}
	toID, err := do(to, "CLUSTER", "MYID")
	if err != nil {
		return false, err
	}
	number := strconv.Itoa(slot)
	if _, err := do(to, "CLUSTER", "SETSLOT", number, "IMPORTING", string(fromID.text)); err != nil {
		return false, err
	}
	if _, err := do(from, "CLUSTER", "SETSLOT", number, "MIGRATING", string(toID.text)); err != nil {
		return false, err
	}
	keys, err := s.moveKeys(ctx, from, to, number, random)
	if err != nil {
		return false, err
	}
	// The new owner first, so that the slot is never without one.
	for _, node := range []*redistest.Server{to, from, s.redis.nodes[(at+2)%len(s.redis.nodes)]} {
		if _, err := do(node, "CLUSTER", "SETSLOT", number, "NODE", string(toID.text)); err != nil {
			return false, err
		}
	}
	s.redis.owners[slot] = next
	s.log.printf("slot %d of %s has moved with %d keys", slot, name, keys)
	return true, ctx.Err()
}

// moveKeys moves the keys of a slot one after another, and takes its time.
func (s *suite) moveKeys(ctx context.Context, from, to *redistest.Server, slot string, random *rand.Rand) (moved int, err error) {
	_, port, err := net.SplitHostPort(to.Addr)
	if err != nil {
		return 0, fmt.Errorf("moving slot %s: %w", slot, err)
	}
	for {
		sleep(ctx, time.Duration(10+random.IntN(90))*time.Millisecond)
		keys, err := do(from, "CLUSTER", "GETKEYSINSLOT", slot, "1")
		if err != nil || len(keys.items) == 0 {
			return moved, err
		}
		key := string(keys.items[0].text)
		// NOKEY for one that has run out meanwhile.
		answer, err := do(from, "MIGRATE", "127.0.0.1", port, key, "0", strconv.FormatInt(migrateTimeout.Milliseconds(), 10))
		if err != nil {
			return moved, fmt.Errorf("moving %s: %w", key, err)
		}
		if string(answer.text) == "OK" {
			moved++
		}
	}
}
