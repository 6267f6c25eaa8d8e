package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// faulty is a service that fails while fails returns an error.
type faulty struct {
	sink.Service
	fails func() error
}

func (f faulty) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Service.Put(ctx, stream, entries)
}

// Records that Kinesis does not accept until the end become direct records.
func TestStopRescuesRecordsThatKinesisRefuses(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Lease = 200 * time.Millisecond
	o.Seams.Kinesis = func(s sink.Service) sink.Service {
		return faulty{s, func() error { return errors.New("Kinesis is unreachable") }}
	}
	p := start(t, o)
	id := p.post(t, "orders", "kept")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p.stopped = true
	if err := p.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Stop: %v", err)
	}
	if got := bodies(t, p.root, "orders"); !cmp.Equal(got, []string{"kept\n"}) {
		t.Errorf("archived %q", got)
	}
	for key := range s3test.Objects(t, p.root) {
		if !strings.HasSuffix(key, "/fallback-"+id+".gz") {
			t.Errorf("key %q", key)
		}
	}
}

// Records that Firehose does not accept stay in the stream, and the next pipeline
// with the same folder delivers them.
func TestPipelineDeliversWhatTheLastOneLeft(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Seams.Firehose = func(s sink.Service) sink.Service {
		return faulty{s, func() error { return errors.New("Firehose is unreachable") }}
	}
	p := start(t, o)
	for i := range 3 {
		p.post(t, "orders", fmt.Sprint(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p.stopped = true
	if err := p.Stop(ctx); err == nil || !strings.Contains(err.Error(), "after the next start") {
		t.Errorf("Stop = %v, want an error that says what stays", err)
	}
	o.Seams = local.Seams{}
	second := start(t, o)
	waitFor(t, "the records", func() bool { return len(bodies(t, second.root, "orders")) == 3 })
	second.stop(t)
	if got := bodies(t, second.root, "orders"); !cmp.Equal(got, []string{"0\n", "1\n", "2\n"}) {
		t.Errorf("archived %q", got)
	}
}

// stuckQueue fails each claim.
type stuckQueue struct{ local.Queue }

func (stuckQueue) Claim(context.Context, string, string, time.Duration, int, int) (queue.Claim, error) {
	return queue.Claim{}, errors.New("stuck")
}

// While the queue is long, requests are held back. When that does not help, their
// records become direct records.
func TestPipelineHoldsBackWhileTheQueueIsLong(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.HoldAtMost, o.Lease = 500*time.Millisecond, 500*time.Millisecond
	o.Seams.DrainerQueue = func(q local.Queue) local.Queue { return stuckQueue{q} }
	p := start(t, o)
	body := strings.Repeat("x", 1_000_000)
	for range 5 {
		p.post(t, "orders", body)
	}
	began := time.Now()
	p.post(t, "orders", body)
	if waited := time.Since(began); waited < 500*time.Millisecond {
		t.Errorf("a caller waited %v before a full queue, want 500ms or more", waited)
	}
	for range 10 {
		p.post(t, "orders", body)
	}
	overflows, err := filepath.Glob(filepath.Join(p.root, "orders", "*", "*", "overflow-*"))
	if err != nil || len(overflows) == 0 {
		t.Errorf("objects of records past the bound: %v, %v, want some", overflows, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	p.stopped = true
	if err := p.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop: %v", err)
	}
	if got := len(bodies(t, p.root, "orders")); got != 16 {
		t.Errorf("%d records archived, want 16", got)
	}
}

// failingStore is an archive that cannot be written.
type failingStore struct{ archive.Store }

func (failingStore) Create(context.Context, string, []byte) error { return errors.New("S3 is down") }

func TestPipelineRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Seams.IngestQueue = func(q local.Queue) local.Queue { return refusingQueue{q} }
	o.Seams.Archive = func(s archive.Store) archive.Store { return failingStore{s} }
	p := start(t, o)
	r := apitest.Request(t, "POST", p.url+"/archives/orders", "", strings.NewReader("x"))
	r.SetBasicAuth("datasink", "secret")
	status, header, _ := apitest.Do(t, http.DefaultClient, r)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("POST = %d, %v, want 503 with Retry-After", status, header)
	}
	p.stop(t)
}

type refusingQueue struct{ local.Queue }

func (refusingQueue) Push(context.Context, string, []byte, int64) (queue.Pushed, error) {
	return queue.Pushed{}, errors.New("Redis is unreachable")
}

// An envelope that cannot be decoded becomes a dead letter with its bytes, and does
// not block the queue.
func TestPipelineKeepsMalformedEnvelopesAsDeadLetters(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Seams.IngestQueue = func(q local.Queue) local.Queue { return spoilingQueue{q} }
	p := start(t, o)
	p.post(t, "orders", "spoil me")
	p.post(t, "orders", "good")
	p.stop(t)
	if got := bodies(t, p.root, "orders"); !cmp.Equal(got, []string{"good\n"}) {
		t.Errorf("archived %q", got)
	}
	aside := s3test.Objects(t, filepath.Join(p.root, "failed"))
	if len(aside) != 1 {
		t.Fatalf("dead letters: %q", aside)
	}
	for _, body := range aside {
		err := archive.ReadDeadLetters(strings.NewReader(body), func(a archive.DeadLetter) error {
			if string(a.Envelope) != "spoilt" || a.Stream != "orders" {
				t.Errorf("dead letter %+v", a)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

type spoilingQueue struct{ local.Queue }

func (q spoilingQueue) Push(ctx context.Context, name string, e []byte, bound int64) (queue.Pushed, error) {
	if r, err := envelope.Decode(e); err == nil && string(r.Body) == "spoil me" {
		e = []byte("spoilt")
	}
	return q.Queue.Push(ctx, name, e, bound)
}

// A warning names the records of a stream that streams.json does not have any more.
func TestPipelineTellsOfStreamsThatAreGone(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Seams.Firehose = func(s sink.Service) sink.Service {
		return faulty{s, func() error { return errors.New("Firehose is unreachable") }}
	}
	p := start(t, o)
	p.post(t, "orders", "kept")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	p.stopped = true
	if err := p.Stop(ctx); err == nil {
		t.Error("Stop: no error")
	}
	var log bytes.Buffer
	set, err := stream.Parse([]byte(`{"streams":[{"name":"others"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	without := o
	without.Streams, without.Seams, without.Log = set, local.Seams{}, slog.New(slog.NewTextHandler(&log, nil))
	start(t, without).stop(t)
	if !strings.Contains(log.String(), filepath.Join("kinesis", "datasink.orders")) || strings.Contains(log.String(), "page-views") {
		t.Errorf("the log does not name the one folder with records:\n%s", log.String())
	}
	o.Seams = local.Seams{}
	back := start(t, o)
	back.stop(t)
	if got := bodies(t, back.root, "orders"); !cmp.Equal(got, []string{"kept\n"}) {
		t.Errorf("archived %q after the stream is back", got)
	}
}

// Many more callers than connections are all served, whether they keep theirs or
// not.
func TestPipelineServesMoreCallersThanConnections(t *testing.T) {
	t.Parallel()
	p := start(t, options(t))
	var wg sync.WaitGroup
	for range 700 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for range 3 {
				r := apitest.Request(t, "POST", p.url+"/archives/orders", "", strings.NewReader("x"))
				r.SetBasicAuth("datasink", "secret")
				response, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != 202 {
					t.Errorf("status %d, %v", response.StatusCode, err)
				}
			}
		})
	}
	wg.Wait()
	p.stop(t)
	if got := len(bodies(t, p.root, "orders")); got != 2100 {
		t.Errorf("%d records archived, want 2,100", got)
	}
}
