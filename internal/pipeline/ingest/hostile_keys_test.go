package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"pgregory.net/rapid"
)

// memory is an archive.Store that keeps only the keys.
type memory struct{ keys []string }

func (m *memory) Put(context.Context, string, []byte) error { return errors.ErrUnsupported }

func (m *memory) Create(_ context.Context, key string, _ []byte) error {
	m.keys = append(m.keys, key)
	return nil
}
func (m *memory) Check(context.Context) error { return nil }

// For any path, query and header, an accepted record belongs to a stream of
// streams.json and to an object of the documented form. A refused record reaches
// neither the queue nor the archive.
func TestNothingOfARequestReachesAKey(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^(orders|orders-eu|legacy|bounded|strict)/dt=2026-11-22/hour=23/fallback-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(\.gz)?$`)
	letters := []rune("orders-eu/.%2fF0:{}*?#;\x00\n \\оｏＡ\u202e")
	rapid.Check(t, func(rt *rapid.T) {
		word := func(label string) string {
			return rapid.OneOf(
				rapid.SampledFrom([]string{"orders", "orders-eu", "legacy", "gone", "bounded", "strict", "%6frders", "failed", "aws", "..", "{orders}"}),
				rapid.String(), rapid.StringOf(rapid.SampledFrom(letters)),
			).Draw(rt, label)
		}
		var store memory
		var pushed []string
		s := newService(t, func(s *service) {
			s.config.Archive = archive.New(&store, "datasink")
			s.queue.push = func(_ context.Context, name string, encoded []byte, _ int64) (queue.Pushed, error) {
				r, err := envelope.Decode(bytes.Clone(encoded))
				if err != nil || r.Stream != name {
					rt.Fatalf("pushed to %q: %+v, %v", name, r, err)
				}
				pushed = append(pushed, name)
				return queue.Pushed{}, queue.ErrBacklogFull // so that it becomes a direct record
			}
		})
		e := event(t, post(t, "hello"))
		if name := word("name"); rapid.Bool().Draw(rt, "parameter") {
			e.PathParameters = map[string]string{"stream": name}
		} else {
			e.PathParameters, e.RawPath = nil, "/archives/"+name
		}
		e.RawQueryString = "partition_key=" + word("key")
		e.Headers[word("header")] = word("value")
		e.RequestContext.RequestID, e.RequestContext.Stage, e.RouteKey = word("id"), word("stage"), word("route")
		response := s.invoke(t.Context(), e)
		if len(pushed) > 1 || len(store.keys) > len(pushed) {
			rt.Fatalf("pushed to %q and archived as %q", pushed, store.keys)
		}
		if (response.StatusCode == http.StatusAccepted) != (len(store.keys) == 1) {
			rt.Fatalf("status = %d, archived as %q", response.StatusCode, store.keys)
		}
		for _, name := range pushed {
			if found, ok := s.config.Streams.Lookup(name); !ok || found.Retired {
				rt.Fatalf("pushed to %q", name)
			}
		}
		for i, key := range store.keys {
			if !form.MatchString(strings.Replace(key, "/overflow-", "/fallback-", 1)) || !strings.HasPrefix(key, pushed[i]+"/") {
				rt.Fatalf("archived as %q after a push to %q", key, pushed[i])
			}
		}
	})
}
