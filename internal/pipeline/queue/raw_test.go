package queue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// raw is everything that Redis holds of a stream, key by key.
type raw struct {
	Queue   []string
	Claims  []string            // ids, by the time at which their leases expire
	Lists   map[string][]string // the lists of claims, by id
	Stats   map[string]string
	Wake    bool
	Once    map[string]string
	OnceOld map[string]string
	Others  []string // keys of no known kind
}

// raw reads the keys of stream orders.
func (b bed) raw(t *testing.T) raw {
	t.Helper()
	ctx := t.Context()
	prefix := b.options.Deployment + ":{orders}:"
	keys, err := b.keys(t, prefix)
	if err != nil {
		t.Fatal(err)
	}
	var r raw
	for _, key := range keys {
		kind := strings.TrimPrefix(key, prefix)
		id, isClaim := strings.CutPrefix(kind, "claim:")
		switch {
		case isClaim:
			if r.Lists == nil {
				r.Lists = make(map[string][]string)
			}
			r.Lists[id], err = b.admin.LRange(ctx, key, 0, -1).Result()
		case kind == "queue":
			r.Queue, err = b.admin.LRange(ctx, key, 0, -1).Result()
		case kind == "claims":
			r.Claims, err = b.admin.ZRange(ctx, key, 0, -1).Result()
		case kind == "stats":
			r.Stats, err = b.admin.HGetAll(ctx, key).Result()
		case kind == "wake":
			r.Wake = true
		case kind == "once":
			r.Once, err = b.admin.HGetAll(ctx, key).Result()
		case kind == "once:old":
			r.OnceOld, err = b.admin.HGetAll(ctx, key).Result()
		default:
			r.Others = append(r.Others, key)
		}
		if err != nil {
			t.Fatalf("reading %s: %v", key, err)
		}
	}
	return r
}

// keys lists the keys with a prefix, which all belong to one slot.
func (b bed) keys(t *testing.T, prefix string) ([]string, error) {
	t.Helper()
	node, _ := b.admin.(*redis.Client)
	if cluster, ok := b.admin.(*redis.ClusterClient); ok {
		var err error
		if node, err = cluster.MasterForKey(t.Context(), prefix); err != nil {
			return nil, err
		}
	}
	return node.Keys(t.Context(), prefix+"*").Result()
}

// key returns the name of a key of stream orders.
func (b bed) key(kind string) string { return b.options.Deployment + ":{orders}:" + kind }

// expect compares the keys of stream orders with want. Counters of zero need not be
// there, and the times that Reconcile notes are left out.
func (b bed) expect(t *testing.T, when string, want raw) {
	t.Helper()
	got := b.raw(t)
	for name, value := range got.Stats {
		if value == "0" || name == "acceptedFrom" || name == "lostAt" {
			delete(got.Stats, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys %s (-want +got):\n%s", when, diff)
	}
}

// stats returns counters as Redis holds them, from pairs of name and value.
func stats(pairs ...string) map[string]string {
	all := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}
