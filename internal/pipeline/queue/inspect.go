package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/redis/go-redis/v9"
)

// State is what a queue holds and what passed through it. Bytes are those of
// envelopes. Accepted = Depth + ClaimedRecords + Forwarded + Aside, always, and so
// for bytes: of the two sums, push counts that of bytes.
type State struct {
	Depth          int64 `json:"depth"`
	QueuedBytes    int64 `json:"queuedBytes"`
	Claims         int64 `json:"claims"`
	ClaimedRecords int64 `json:"claimedRecords"`
	ClaimedBytes   int64 `json:"claimedBytes"`
	// Drainers is how many drainers hold claims, and DrainerIDs which, sorted.
	Drainers   int64    `json:"drainers"`
	DrainerIDs []string `json:"-"`
	// OldestReceivedAt is that of the oldest first envelope of queue and
	// claims; zero when there is none, or none that can be decoded.
	OldestReceivedAt time.Time `json:"oldestReceivedAt,omitzero"`
	Accepted         int64     `json:"accepted"`
	AcceptedBytes    int64     `json:"acceptedBytes"`
	Forwarded        int64     `json:"forwarded"`
	ForwardedBytes   int64     `json:"forwardedBytes"`
	Aside            int64     `json:"aside"`
	AsideBytes       int64     `json:"asideBytes"`
}

// headBytes is how much of an envelope envelope.ReceivedAt needs.
const headBytes = 64

// Inspect reads the state of a stream's queue. The numbers belong to one moment,
// but for the age of claimed envelopes, which is read right after.
func (q *Queue) Inspect(ctx context.Context, stream string) (State, error) {
	k := q.keys(stream)
	answer, err := inspectScript.run(ctx, q.client, []string{k.queue, k.claims, k.stats}, headBytes)
	if err != nil {
		return State{}, fmt.Errorf("inspecting %s: %w", k.queue, err)
	}
	state, heads, ids, err := parseState(answer)
	if err != nil {
		return State{}, fmt.Errorf("inspecting %s: %w", k.queue, err)
	}
	if len(ids) > 0 {
		claims := make([]string, len(ids))
		for i, id := range ids {
			claims[i] = k.claim + id
		}
		answer, err := headsScript.run(ctx, q.client, claims, headBytes)
		if err != nil {
			return State{}, fmt.Errorf("inspecting claims of %s: %w", k.queue, err)
		}
		claimed, err := texts(answer)
		if err != nil {
			return State{}, fmt.Errorf("inspecting claims of %s: %w", k.queue, err)
		}
		heads = append(heads, claimed...)
	}
	state.OldestReceivedAt = oldest(heads)
	return state, nil
}

func parseState(answer any) (state State, heads, ids []string, err error) {
	parts, err := list(answer, 4)
	if err != nil {
		return State{}, nil, nil, err
	}
	depth, err := number(parts[0])
	if err != nil {
		return State{}, nil, nil, err
	}
	head, ok := parts[1].(string)
	if !ok {
		return State{}, nil, nil, fmt.Errorf("head of type %T, want a string", parts[1])
	}
	if ids, err = texts(parts[2]); err != nil {
		return State{}, nil, nil, err
	}
	counters, err := parseCounters(parts[3])
	if err != nil {
		return State{}, nil, nil, err
	}
	drainers := make(map[string]bool)
	for _, id := range ids {
		drainer, _, _ := strings.Cut(id, ".")
		drainers[drainer] = true
	}
	state = State{
		Depth: depth, Claims: int64(len(ids)),
		Drainers: int64(len(drainers)), DrainerIDs: slices.Sorted(maps.Keys(drainers)),
		ClaimedRecords: counters["claimed"], ClaimedBytes: counters["claimedBytes"],
		AcceptedBytes: counters["acceptedBytes"],
		Forwarded:     counters["forwarded"], ForwardedBytes: counters["forwardedBytes"],
		Aside: counters["aside"], AsideBytes: counters["asideBytes"],
	}
	state.Accepted = state.Depth + state.ClaimedRecords + state.Forwarded + state.Aside
	state.QueuedBytes = state.AcceptedBytes - state.ClaimedBytes - state.ForwardedBytes - state.AsideBytes
	return state, []string{head}, ids, nil
}

func parseCounters(v any) (map[string]int64, error) {
	flat, err := texts(v)
	if err != nil {
		return nil, err
	}
	counters := make(map[string]int64, len(flat)/2)
	for pair := range slices.Chunk(flat, 2) {
		if len(pair) != 2 {
			return nil, fmt.Errorf("counter %q has no value", pair[0])
		}
		if counters[pair[0]], err = strconv.ParseInt(pair[1], 10, 64); err != nil {
			return nil, fmt.Errorf("counter %q: %w", pair[0], err)
		}
	}
	return counters, nil
}

func oldest(heads []string) time.Time {
	var first time.Time
	for _, head := range heads {
		at, err := envelope.ReceivedAt([]byte(head))
		if err == nil && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Streams returns the names of all streams of the deployment that have a queue
// or a claim, sorted, whether streams.json knows them or not. It scans the whole
// keyspace, of every node.
func (q *Queue) Streams(ctx context.Context) ([]string, error) {
	var mu sync.Mutex
	names := make(map[string]bool)
	scan := func(ctx context.Context, node *redis.Client) error {
		for _, kind := range []string{"queue", "claims"} {
			prefix, suffix := q.options.Deployment+":{", "}:"+kind
			// A hash tag may hold what is special in a pattern, so the
			// pattern holds none of it.
			keys := node.Scan(ctx, 0, prefix+"*"+suffix, 1000).Iterator()
			for keys.Next(ctx) {
				name := strings.TrimSuffix(strings.TrimPrefix(keys.Val(), prefix), suffix)
				mu.Lock()
				names[name] = true
				mu.Unlock()
			}
			if err := keys.Err(); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	switch client := q.client.(type) {
	case *redis.ClusterClient:
		err = client.ForEachMaster(ctx, scan)
	case *redis.Client:
		err = scan(ctx, client)
	}
	if err != nil {
		return nil, fmt.Errorf("scanning for queues: %w", err)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// EvictionPolicy returns Redis' maxmemory-policy, or "" when Redis does not tell.
// A policy that begins with "allkeys-" may drop records.
func (q *Queue) EvictionPolicy(ctx context.Context) (string, error) {
	info, err := q.client.Info(ctx, "memory").Result()
	if err != nil {
		if isAnswer(err) {
			return "", nil
		}
		return "", fmt.Errorf("reading the eviction policy: %w", err)
	}
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); ok {
			return policy, nil
		}
	}
	return "", nil
}
