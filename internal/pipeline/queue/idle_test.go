package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// Redis, or the network, closes idle connections, and over TLS the client does not notice. A push must not use such a connection.
func TestPushAfterTheServerClosedAnIdleConnection(t *testing.T) {
	t.Parallel()
	for name, urlSuffix := range map[string]string{"one node": "", "cluster": "?cluster=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--timeout", "1"}
			if urlSuffix != "" {
				args = append(args, "--cluster-enabled", "yes", "--tls-cluster", "yes",
					"--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname")
			}
			s, config := redistest.StartTLS(t, args...)
			admin := redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket})
			t.Cleanup(func() { _ = admin.Close() })
			if urlSuffix != "" {
				if err := admin.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
					t.Fatal(err)
				}
			}
			q := open(t, queue.Options{URL: s.URL + urlSuffix, TLS: config, IdleTimeout: 100 * time.Millisecond})
			awaitPush(t, q)
			for range 2 {
				awaitOnlyClient(t, admin)
				if _, err := q.Push(t.Context(), "orders", []byte("x"), 0); err != nil {
					t.Errorf("Push after the server closed the idle connection = %v", err)
				}
			}
		})
	}
}

// awaitPush pushes until a push succeeds: a new cluster needs a moment.
func awaitPush(t *testing.T, q *queue.Queue) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := q.Push(t.Context(), "orders", []byte("x"), 0)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// awaitOnlyClient waits until Redis has closed all connections but the administrator's.
func awaitOnlyClient(t *testing.T, admin *redis.Client) {
	t.Helper()
	for {
		clients, err := admin.ClientList(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(clients, "\n") == 1 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
