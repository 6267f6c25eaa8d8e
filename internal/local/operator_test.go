package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// operated is a pipeline with its operator's side.
func operated(t *testing.T) (*pipeline, deployment.Target, string) {
	t.Helper()
	o := options(t)
	o.OperatorAddr, o.S3Addr = "127.0.0.1:0", "127.0.0.1:0"
	p := start(t, o)
	found, err := deployment.Find(t.Context(), deployment.Options{Data: o.Data})
	if err != nil {
		t.Fatal(err)
	}
	return p, found, o.Data
}

func TestTheOperatorFindsThePipeline(t *testing.T) {
	t.Parallel()
	p, found, data := operated(t)
	path := filepath.Join(data, endpoints.File)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the endpoints' mode is %v, %v, want only the owner to read them", info.Mode(), err)
	}
	api, err := found.API(t.Context())
	if want := (deployment.API{URL: p.url, User: "datasink", Password: "secret"}); err != nil || api != want {
		t.Errorf("API = %+v, %v, want %+v", api, err, want)
	}
	p.stop(t)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Stop the endpoints are still there: %v", err)
	}
}

func TestTheOperatorSeesEveryHop(t *testing.T) {
	t.Parallel()
	p, found, _ := operated(t)
	began := time.Now()
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("order %02d", i))
		p.post(t, "orders", want[i])
	}
	waitFor(t, "the records in the archive", func() bool { return len(bodies(t, p.root, "orders")) == 50 })

	inspection, err := found.Inspect(t.Context())
	if s := inspection.Streams["orders"]; err != nil || s.Accepted != 50 || s.Forwarded != 50 {
		t.Errorf("Inspect = %+v, %v", s, err)
	}
	var got []string
	window := tap.Window{From: began.Add(-time.Second), Until: time.Now()}
	err = found.Tap(t.Context(), "orders", window, func(r tap.Record) error {
		got = append(got, string(r.Body))
		if r.Sequence == "" || r.Shard == "" || r.PartitionKey == "" || r.ArrivedAt.IsZero() {
			t.Errorf("record %+v lacks something", r)
		}
		return nil
	})
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Tap: %v, bodies differ (-want +got):\n%s", err, diff)
	}

	bucket, err := found.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	state := inspection.Streams["orders"]
	report, err := verify.Run(t.Context(), verify.Config{
		Stream: "orders", From: began.Add(-time.Second), To: time.Now(), Objects: bucket.Bucket, Queue: &state,
		Packed: func(ctx context.Context, from, to time.Time, each func(pack.Line) error) error {
			return found.Packed(ctx, "orders", from, to, each)
		},
		Tap: func(ctx context.Context, from, to time.Time, each func(tap.Record) error) error {
			return found.Tap(ctx, "orders", tap.Window{From: from, Until: to}, each)
		},
	})
	if err != nil || !report.Equal() || report.Archived.Records != 50 || report.Tap.Records != 50 || report.Bridged.Records != 50 {
		t.Errorf("verify: %v, report %+v", err, report)
	}
	if _, known := ours(t).Lookup("orders"); !known || found.Settle(stream.Stream{}) <= 0 {
		t.Error("no time to settle")
	}
}

func TestTheTapFromNowOnGivesWhatComes(t *testing.T) {
	t.Parallel()
	p, found, _ := operated(t)
	p.post(t, "orders", "before")
	waitFor(t, "the first record", func() bool { return len(bodies(t, p.root, "orders")) == 1 })
	enough := errors.New("enough")
	got, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- found.Tap(t.Context(), "orders", tap.Window{}, func(r tap.Record) error {
			got <- string(r.Body)
			return enough
		})
	}()
	// The tap begins when it begins: post until it has.
	waitFor(t, "the tap", func() bool {
		p.post(t, "orders", "after")
		return len(got) > 0
	})
	if body := <-got; body != "after" {
		t.Errorf("the tap gave %q", body)
	}
	if err := <-ended; !errors.Is(err, enough) {
		t.Errorf("Tap = %v", err)
	}
	if err := found.Tap(t.Context(), "none", tap.Window{}, nil); err == nil {
		t.Error("Tap of an unknown stream gave no error")
	}
}

func TestTheOperatorAnswersNoWebPage(t *testing.T) {
	t.Parallel()
	_, _, data := operated(t)
	content, err := os.ReadFile(filepath.Join(data, endpoints.File))
	if err != nil {
		t.Fatal(err)
	}
	e := decode[endpoints.Endpoints](t, content)
	for path, want := range map[string]int{"/inspect": 200, "/packed": 200, "/tap/orders?since=yesterday": 400, "/other": 404} {
		r := request(t, http.MethodGet, e.OperatorURL+path, "", nil)
		if status, _, answer := do(t, r); status != want {
			t.Errorf("GET %s = %d %s, want %d", path, status, answer, want)
		}
		r = request(t, http.MethodGet, e.OperatorURL+path, "", nil)
		r.Header.Set("Origin", "http://example.com")
		if status, _, _ := do(t, r); status != http.StatusForbidden {
			t.Errorf("GET %s of a web page = %d, want 403", path, status)
		}
	}
}

func decode[T any](t *testing.T, content []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
