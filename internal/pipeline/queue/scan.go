package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Scan returns the streams of the deployment that have a queue or a claim, whether
// streams.json names them or not, each with the ids of the claims whose lists
// exist. It scans the keyspace of every node, and is not atomic.
func (q *Queue) Scan(ctx context.Context) (map[string][]string, error) {
	var mu sync.Mutex
	streams := make(map[string][]string)
	scan := func(ctx context.Context, node *redis.Client) error {
		prefix := q.options.Deployment + ":{"
		keys := node.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			stream, rest, ok := strings.Cut(strings.TrimPrefix(keys.Val(), prefix), "}:")
			claim, isClaim := strings.CutPrefix(rest, "claim:")
			if !ok || !isClaim && rest != "queue" && rest != "claims" {
				continue
			}
			mu.Lock()
			ids := streams[stream]
			if isClaim && !slices.Contains(ids, claim) { // SCAN may return a key twice.
				ids = append(ids, claim)
			}
			streams[stream] = ids
			mu.Unlock()
		}
		return keys.Err()
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
	return streams, nil
}
