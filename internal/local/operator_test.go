package local_test

import (
	"context"
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
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/google/go-cmp/cmp"
)

// operated is a pipeline with all addresses, as the operator's verbs find it.
func operated(t *testing.T) (*pipeline, deployment.Target, string) {
	t.Helper()
	o := options(t)
	o.OperatorAddr, o.S3Addr, o.AWSAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
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
		if r.ArrivedAt.Before(window.From) || r.ArrivedAt.After(window.Until) {
			t.Errorf("record of %v, want one of the window", r.ArrivedAt)
		}
		for field, value := range map[string]string{"sequence number": r.Sequence, "shard": r.Shard, "partition key": r.PartitionKey} {
			if value == "" {
				t.Errorf("record without a %s", field)
			}
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
	if err != nil {
		t.Fatal(err)
	}
	if !report.Equal() {
		t.Errorf("verify: %+v, want equal", report)
	}
	if diff := cmp.Diff([]int64{50, 50, 50}, []int64{int64(report.Tap.Records), int64(report.Bridged.Records), int64(report.Archived.Records)}); diff != "" {
		t.Errorf("records of tap, bridge and archive differ (-want +got):\n%s", diff)
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
	// The reader starts at an unknown time: post until it has a record.
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

func TestTheOperatorsPortWantsItsToken(t *testing.T) {
	t.Parallel()
	_, _, data := operated(t)
	e := readEndpoints(t, data)
	for _, tt := range []struct {
		name, path, token string
		header, value     string
		status            int
	}{
		{name: "right", path: "/inspect", token: e.Token, status: 200},
		{name: "packed", path: "/packed", token: e.Token, status: 200},
		{name: "unknown path", path: "/tap/orders", token: e.Token, status: 404},
		{name: "no token", path: "/inspect", status: 401},
		{name: "wrong token", path: "/packed", token: e.Token + "x", status: 401},
		{name: "web page", path: "/inspect", token: e.Token, header: "Origin", value: "http://example.com", status: 403},
		{name: "rebound name", path: "/inspect", token: e.Token, header: "Host", value: "attacker.example", status: 403},
	} {
		r := apitest.Request(t, http.MethodGet, e.OperatorURL+tt.path, "", nil)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if tt.header == "Host" {
			r.Host = tt.value
		} else if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		if status, _, answer := apitest.Do(t, http.DefaultClient, r); status != tt.status {
			t.Errorf("%s: GET %s = %d %s, want %d", tt.name, tt.path, status, answer, tt.status)
		}
	}
}
