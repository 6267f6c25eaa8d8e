package archive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

var receivedAt = time.Date(2026, 11, 23, 0, 30, 0, 0, time.FixedZone("", 3600))

// store keeps objects in memory, or fails when err is set.
type store struct {
	err     error
	mu      sync.Mutex
	objects map[string][]byte
}

var _ archive.Store = (*store)(nil)

func (s *store) Put(_ context.Context, key string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.objects == nil {
		s.objects = make(map[string][]byte)
	}
	s.objects[key] = bytes.Clone(body)
	return nil
}

func (s *store) Create(ctx context.Context, key string, body []byte) error {
	s.mu.Lock()
	_, exists := s.objects[key]
	s.mu.Unlock()
	if exists {
		return s.err
	}
	return s.Put(ctx, key, body)
}

func (s *store) Check(context.Context) error { return s.err }

func TestPutIsReadBackByteForByte(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"empty": {}, "text": []byte("a line"), "line": []byte("a line\n"), "binary": {0, '\n', 0xff, 0x1f, 0x8b}, "large": bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
	} {
		for _, format := range []stream.Format{stream.Lines, stream.Raw} {
			for _, compression := range []stream.Compression{stream.Gzip, stream.None} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, format, compression), func(t *testing.T) {
					t.Parallel()
					s := stream.Stream{Name: "orders", Format: format, Compression: compression}
					var objects store
					sent := bytes.Clone(body)
					key, err := archive.New(&objects, "datasink").Put(t.Context(), s, envelope.Record{ID: "id-1", ReceivedAt: receivedAt, Body: sent}, archive.Fallback)
					if err != nil {
						t.Fatal(err)
					}
					if want := "orders/dt=2026-11-22/hour=23/fallback-id-1" + s.Suffix(); key != want {
						t.Errorf("key = %q, want %q", key, want)
					}
					if want := format.AppendFramed(nil, body); !bytes.Equal(content(t, key, objects.objects[key]), want) {
						t.Errorf("the object is not the framed body")
					}
					if !bytes.Equal(sent, body) {
						t.Error("Put changed the caller's body")
					}
				})
			}
		}
	}
}

// A direct record is kept as it was first written. A dead letter is replaced.
func TestRepeatedWrites(t *testing.T) {
	t.Parallel()
	var objects store
	a := archive.New(&objects, "datasink")
	var record, deadLetter string
	for _, body := range []string{"first", "second"} {
		var err error
		if record, err = a.Put(t.Context(), stream.Stream{Name: "orders"}, envelope.Record{ID: "1", ReceivedAt: receivedAt, Body: []byte(body)}, archive.Oversize); err != nil {
			t.Fatal(err)
		}
		if deadLetter, err = a.PutDeadLetters(t.Context(), archive.StageBridge, "orders", "1", []archive.DeadLetter{{Reason: body, FailedAt: receivedAt}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(objects.objects[record]); got != "first\n" {
		t.Errorf("direct record = %q, want the first line", got)
	}
	if got := string(objects.objects[deadLetter]); !strings.Contains(got, "second") {
		t.Errorf("dead letter = %q, want the second one", got)
	}
}

func TestPutRefusesInvalidPartsOfAKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ stream, id, reason string }{
		{"", "1", "fallback"},
		{"..", "1", "fallback"},
		{"a/b", "1", "fallback"},
		{"Orders", "1", "fallback"},
		{"a.b", "1", "fallback"},
		{"orders", "../1", "fallback"},
		{"orders", "1/2", "fallback"},
		{"orders", "1\x00", "fallback"},
		{"orders", "1\n", "fallback"},
		{"orders", "ä", "fallback"},
		{"orders", strings.Repeat("1", 201), "fallback"},
		{"orders", "1", "../fallback"},
		{"orders", "1", ".."},
	} {
		var objects store
		_, err := archive.New(&objects, "datasink").Put(t.Context(), stream.Stream{Name: tt.stream}, envelope.Record{ID: tt.id}, archive.Reason(tt.reason))
		if err == nil || len(objects.objects) > 0 {
			t.Errorf("Put(stream %q, id %q, reason %q) = %v, want an error and no object", tt.stream, tt.id, tt.reason, err)
		}
	}
}

func TestErrorsOfTheStorePassThrough(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	a := archive.New(&store{err: down}, "datasink")
	_, err := a.Put(t.Context(), stream.Stream{Name: "orders"}, envelope.Record{ID: "1", ReceivedAt: receivedAt, Body: []byte("secret")}, archive.Fallback)
	if !errors.Is(err, down) || !strings.Contains(err.Error(), "orders/dt=2026-11-22/hour=23/fallback-1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("Put = %v, want the store's error with the key and no body", err)
	}
	if err := a.Check(t.Context()); !errors.Is(err, down) {
		t.Errorf("Check = %v, want the store's error", err)
	}
	if _, err := a.PutDeadLetters(t.Context(), archive.StageBridge, "orders", "1", []archive.DeadLetter{{Reason: "r", FailedAt: receivedAt}}); !errors.Is(err, down) {
		t.Errorf("PutDeadLetters = %v, want the store's error", err)
	}
	if err := archive.New(&store{}, "datasink").Check(t.Context()); err != nil {
		t.Errorf("Check = %v, want none", err)
	}
}

func TestConcurrentPutsKeepApart(t *testing.T) {
	t.Parallel()
	var objects store
	a := archive.New(&objects, "datasink")
	s := stream.Stream{Name: "orders", Compression: stream.Gzip}
	body := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 1000*i) }
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			record := envelope.Record{ID: fmt.Sprint(i), ReceivedAt: receivedAt, Body: body(i)}
			if _, err := a.Put(t.Context(), s, record, archive.Fallback); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 64 {
		key := fmt.Sprintf("orders/dt=2026-11-22/hour=23/fallback-%d.gz", i)
		if got := content(t, key, objects.objects[key]); !bytes.Equal(got, append(body(i), '\n')) {
			t.Errorf("%s holds other bytes than were put", key)
		}
	}
}

// content returns an object's content after decompression.
func content(tb testing.TB, key string, object []byte) []byte {
	tb.Helper()
	if !strings.HasSuffix(key, ".gz") {
		return object
	}
	r, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		tb.Fatalf("%s: %v", key, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatalf("%s: %v", key, err)
	}
	return b
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		for _, compression := range []stream.Compression{stream.Gzip, stream.None} {
			b.Run(fmt.Sprintf("%d/%s", size, compression), func(b *testing.B) {
				a := archive.New(nowhere{}, "datasink")
				s := stream.Stream{Name: "orders", Compression: compression}
				body := bytes.Repeat([]byte(`{"order":17,"state":"paid","at":"2026-11-22"},`), size/46+1)[:size]
				record := envelope.Record{ID: "1", ReceivedAt: receivedAt, Body: body}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := a.Put(b.Context(), s, record, archive.Fallback); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

type nowhere struct{}

func (nowhere) Put(context.Context, string, []byte) error    { return nil }
func (nowhere) Create(context.Context, string, []byte) error { return nil }
func (nowhere) Check(context.Context) error                  { return nil }
