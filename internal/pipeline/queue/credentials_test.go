package queue_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// vault is a secret that can be rotated, and unreachable.
type vault struct {
	mu       sync.Mutex
	password string
	err      error
}

func (v *vault) read(context.Context) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return []byte(v.password), v.err
}

func (v *vault) set(password string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.password, v.err = password, err
}

// rotate gives each server a new password and closes all its connections.
func rotate(t *testing.T, servers []*redistest.Server, old, next string) {
	t.Helper()
	for _, s := range servers {
		admin := redis.NewClient(&redis.Options{Addr: s.Addr, Password: old})
		for _, command := range [][]any{{"config", "set", "requirepass", next}, {"config", "set", "masterauth", next}, {"client", "kill", "type", "normal", "skipme", "yes"}} {
			if err := admin.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		_ = admin.Close()
	}
}

func TestARotatedPasswordWorksWithoutARestart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) (string, []*redistest.Server){
		"one node": func(t *testing.T) (string, []*redistest.Server) {
			s := redistest.Start(t, "--requirepass", "old")
			return s.URL, []*redistest.Server{s}
		},
		"cluster": func(t *testing.T) (string, []*redistest.Server) {
			c := redistest.StartCluster(t, redistest.ClusterOptions{Password: "old"})
			return c.URL, c.Nodes
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, servers := start(t)
			secret := &vault{password: "old"}
			q, err := queue.Open(queue.Options{Deployment: "d", URL: url, Secret: secret.read, PushTimeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = q.Close() })
			push := func() error {
				_, err := q.Push(t.Context(), "orders", []byte("envelope"), 0)
				return err
			}
			if err := push(); err != nil {
				t.Fatalf("Push with the first password: %v", err)
			}

			rotate(t, servers, "old", "new")
			secret.set("", errors.New("secret unreachable"))
			if err := push(); err == nil {
				t.Error("Push with the old password succeeded")
			}
			secret.set("new", nil)
			for deadline := time.Now().Add(time.Minute); ; {
				err := push()
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("Push a minute after the rotation: %v", err)
				}
			}
			state, err := q.Inspect(t.Context(), "orders")
			if err != nil {
				t.Fatal(err)
			}
			if state.Depth != 2 {
				t.Errorf("depth %d, want 2", state.Depth)
			}
		})
	}
}
