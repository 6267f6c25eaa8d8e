package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/replay"
	"github.com/data-sink/data-sink/internal/operate/resume"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// bench is a bucket with one object, and an API.
type bench struct {
	bucket.Object
	*replay.Replayer
	mu       sync.Mutex
	accepted []string
	refuse   string // a body
}

func newBench(t *testing.T, key, content string, by replay.By) *bench {
	t.Helper()
	client := s3test.Start(t, s3test.Options{})
	if err := archive.NewS3(client, s3test.Bucket).Put(t.Context(), key, []byte(content)); err != nil {
		t.Fatal(err)
	}
	b := &bench{Object: bucket.Object{Key: key}}
	api := httptest.NewServer(b)
	t.Cleanup(api.Close)
	state, err := resume.Open(filepath.Join(t.TempDir(), "state"), "replay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Replayer = &replay.Replayer{
		Objects: bucket.New(client, s3test.Bucket), Store: archive.NewS3(client, s3test.Bucket), Client: &post.Client{URL: api.URL, User: "u", Password: "p", MaxAttempts: 1},
		Concurrency: 1, State: state, Into: "other", By: by,
	}
	return b
}

func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || r.URL.Path != "/archives/other" || b.refuse != "" && string(body) == b.refuse {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.accepted = append(b.accepted, r.Header.Get("Content-Encoding")+string(body))
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, `{"id":"x"}`)
}

func TestObjectPostsItsBodies(t *testing.T) {
	t.Parallel()
	half, most := strings.Repeat("x", 600_000)+"\n", strings.Repeat("y", 1_100_000)+"\n"
	one, two := s3test.Gzip(t, "one"), s3test.Gzip(t, strings.Repeat("two ", 100_000))
	for _, tt := range []struct {
		name, key, content string
		by                 replay.By
		want               []string
	}{
		{"lines, compressed", "s/a.gz", s3test.Gzip(t, "a\n\n{\"b\":1}\r\nlast without an end"), replay.Line, []string{"a", "\n", "{\"b\":1}\r", "last without an end"}},
		{"a long line", "s/a", strings.Repeat("x", 200_000) + "\ny\n", replay.Line, []string{strings.Repeat("x", 200_000), "y"}},
		{"whole lines", "s/a", "{\n \"a\": 1\n}\n\nlast", replay.Lines, []string{"{\n \"a\": 1\n}\n\nlast"}},
		{"whole lines up to the limit", "s/a", half + half + "z\n" + most + "end\n", replay.Lines, []string{half, half + "z\n", most, "end\n"}},
		{"an oversize record", "s/oversize-1", half + half, replay.Lines, []string{half + half}},
		{"a batch that fell back", "s/fallback-1", half + half, replay.Lines, []string{half, half}},
		{"a batch over the backlog's bound", "s/overflow-1.gz", s3test.Gzip(t, half+half+"z\n"), replay.Lines, []string{half, half + "z\n"}},
		{"a single record that fell back", "s/fallback-2", "{\n \"a\": 1\n}\n", replay.Lines, []string{"{\n \"a\": 1\n}\n"}},
		{"members", "s/raw", one + two + one, replay.Member, []string{"gzip" + one, "gzip" + two, "gzip" + one}},
		{"members, compressed", "s/raw.gz", s3test.Gzip(t, one+two), replay.Member, []string{"gzip" + one, "gzip" + two}},
		{"whole", "s/raw", one + "anything", replay.Whole, []string{one + "anything"}},
		{"an empty object", "s/raw", "", replay.Whole, nil},
		{"no line", "s/a", "", replay.Line, nil},
		{"no member", "s/a", "", replay.Member, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.key, tt.content, tt.by)
			for range 2 { // the second time all is done
				if refused, err := b.Replayer.Object(t.Context(), b.Object); err != nil || refused != 0 {
					t.Fatalf("Object = %d, %v", refused, err)
				}
			}
			if diff := cmp.Diff(tt.want, b.accepted); diff != "" {
				t.Errorf("bodies differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGzipBodiesWithTheExtensionGz has a raw stream with the extension ".gz", whose
// objects are gzip members although the archive does not compress them.
func TestGzipBodiesWithTheExtensionGz(t *testing.T) {
	t.Parallel()
	one, two := s3test.Gzip(t, "one\n"), s3test.Gzip(t, "two\n")
	for by, want := range map[replay.By][]string{
		replay.Member: {"gzip" + one, "gzip" + two}, replay.Whole: {one + two}, replay.Line: {"one", "two"},
	} {
		b := newBench(t, "s/raw.gz", one+two, by)
		b.HoldsGzip = true
		if refused, err := b.Replayer.Object(t.Context(), b.Object); err != nil || refused != 0 {
			t.Fatalf("Object by %s = %d, %v", by, refused, err)
		}
		if diff := cmp.Diff(want, b.accepted); diff != "" {
			t.Errorf("bodies by %s differ (-want +got):\n%s", by, diff)
		}
	}
}

func TestLongBodiesAreCompressedOnTheirWay(t *testing.T) {
	t.Parallel()
	b := newBench(t, "s/a", "short\n"+strings.Repeat("x", 1000)+"\n", replay.Line)
	b.GzipOver = 500
	if _, err := b.Replayer.Object(t.Context(), b.Object); err != nil {
		t.Fatal(err)
	}
	if len(b.accepted) != 2 || b.accepted[0] != "short" || !strings.HasPrefix(b.accepted[1], "gzip") {
		t.Errorf("accepted %q", b.accepted)
	}
}

func TestObjectRefusesWhatItCannotSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		content string
		by      replay.By
		want    string
	}{
		{s3test.Gzip(t, "one") + "not gzip", replay.Member, "gzip member 2"},
		{s3test.Gzip(t, "one")[:10], replay.Member, "gzip member 1"},
		{"x", "word", "splitting by"},
	} {
		b := newBench(t, "s/a", tt.content, tt.by)
		if _, err := b.Replayer.Object(t.Context(), b.Object); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "s/a") {
			t.Errorf("Object by %s = %v, want an error with %q", tt.by, err, tt.want)
		}
		if b.State.IsFinished("s/a") {
			t.Errorf("by %s: the object is finished", tt.by)
		}
	}
}

func TestAReplayGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	var content strings.Builder
	for i := range 200 {
		fmt.Fprintln(&content, i)
	}
	b := newBench(t, "s/a", content.String(), replay.Line)
	b.Concurrency = 4
	b.refuse = "7"
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	b.Done = func(_ []byte, err error) {
		if n++; n == 50 {
			cancel()
		}
	}
	if _, err := b.Replayer.Object(ctx, b.Object); !errors.Is(err, context.Canceled) {
		t.Fatalf("Object = %v, want the interrupt", err)
	}
	if refused, err := b.Replayer.Object(t.Context(), b.Object); err != nil || refused != 1 {
		t.Fatalf("Object = %d, %v, want one refused", refused, err)
	}
	b.refuse = ""
	if refused, err := b.Replayer.Object(t.Context(), b.Object); err != nil || refused != 0 {
		t.Fatalf("Object = %d, %v", refused, err)
	}
	slices.Sort(b.accepted)
	if n := len(slices.Compact(b.accepted)); n != 200 || len(b.accepted) != 200 {
		t.Errorf("accepted %d bodies, %d of them different, want 200", len(b.accepted), n)
	}
}

func TestAReplayedObjectHasAMarker(t *testing.T) {
	t.Parallel()
	const key = "orders/dt=2026-11-22/hour=23/a"
	from := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	b := newBench(t, key, "a\nb\n", replay.Line)
	b.refuse = "b"
	replayed := func(into string) []string {
		t.Helper()
		keys, err := replay.Replayed(t.Context(), b.Objects, "orders", into, from, from.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return slices.Collect(maps.Keys(keys))
	}
	if _, err := b.Replayer.Object(t.Context(), b.Object); err != nil {
		t.Fatal(err)
	}
	if got := replayed("other"); len(got) != 0 {
		t.Errorf("replayed %q while a body is refused, want none", got)
	}
	b.refuse = ""
	if _, err := b.Replayer.Object(t.Context(), b.Object); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{key}, replayed("other")); diff != "" {
		t.Errorf("replayed objects differ (-want +got):\n%s", diff)
	}
	if got := replayed("another"); len(got) != 0 {
		t.Errorf("replayed %q into another stream, want none", got)
	}
	marker, err := b.Objects.Head(t.Context(), "_replayed/other/"+key, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var m replay.Marker
	if err := json.Unmarshal(marker, &m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(replay.Marker{ReplayedAt: m.ReplayedAt, By: replay.Line, Bodies: 2}, m); diff != "" {
		t.Errorf("marker differs (-want +got):\n%s", diff)
	}
}
