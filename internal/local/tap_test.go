package local_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// withTap returns the stream orders with a value of tap, as JSON.
func withTap(t *testing.T, value string) *stream.Set {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders","tap":` + value + `}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// load posts records to orders from several clients until it is stopped.
type load struct {
	accepted atomic.Int64
	stopped  atomic.Bool
	clients  sync.WaitGroup
}

func startLoad(t *testing.T, url string) *load {
	l := &load{}
	for client := range 4 {
		l.clients.Go(func() {
			for i := 0; !l.stopped.Load(); i++ {
				r := apitest.Request(t, "POST", url+"/archives/orders", "application/octet-stream", strings.NewReader(fmt.Sprintf("record %d of client %d", i, client)))
				r.SetBasicAuth("datasink", "secret")
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close() // Only the status is of interest.
				if response.StatusCode != http.StatusAccepted {
					t.Errorf("POST = %d, want 202", response.StatusCode)
					return
				}
				l.accepted.Add(1)
			}
		})
	}
	return l
}

func (l *load) stop() {
	l.stopped.Store(true)
	l.clients.Wait()
}

// await waits until the load has posted more records.
func (l *load) await(t *testing.T, more int64) {
	t.Helper()
	before := l.accepted.Load()
	waitFor(t, "more records", func() bool { return t.Failed() || l.accepted.Load() >= before+more })
}

// TestATapEndsAndBeginsUnderLoad switches a tap from true by "ending" to false and
// back while clients post: nothing is lost, and every record is explained.
func TestATapEndsAndBeginsUnderLoad(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.RedisURL = redistest.Start(t).URL
	o.Streams = withTap(t, "true")
	o.OperatorAddr, o.S3Addr, o.AWSAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	began := time.Now()
	p := start(t, o)
	found, err := deployment.Find(t.Context(), deployment.Options{Data: o.Data})
	if err != nil {
		t.Fatal(err)
	}
	const each = 300
	l := startLoad(t, p.url)
	defer l.stop()
	l.await(t, each)
	change := func(value string) {
		t.Helper()
		if err := p.SetStreams(withTap(t, value)); err != nil {
			t.Fatal(err)
		}
	}
	change(`"ending"`)
	l.await(t, each)
	waitFor(t, "a record that the drainer put to Firehose", func() bool {
		drained := 0
		err := found.Packed(t.Context(), "orders", began, time.Now(), func(p pack.Line) error {
			if !p.FromTap() {
				drained++
			}
			return nil
		})
		return err == nil && drained > 0
	})
	waitFor(t, "the tap to be empty", func() bool {
		lags, err := found.Lags(t.Context(), nil)
		return err == nil && lags["orders"].TapIsEmpty()
	})
	inspection, err := found.Inspect(t.Context())
	if err != nil || inspection.Taps["orders"] != stream.TapEnding {
		t.Errorf("Inspect has the taps %v, %v, want an ending one", inspection.Taps, err)
	}
	change(`false`)
	l.await(t, each)
	again := time.Now()
	change(`true`)
	l.await(t, each)
	waitFor(t, "a record on the tap that began again", func() bool {
		tapped := 0
		err := found.Tap(t.Context(), "orders", tap.Window{From: again, Until: time.Now()}, func(tap.Record) error {
			tapped++
			return nil
		})
		return err == nil && tapped > 0
	})
	l.stop()

	accepted := int(l.accepted.Load())
	distinct := func() map[string]int {
		times := make(map[string]int)
		for _, body := range bodies(t, p.root, "orders") {
			times[body]++
		}
		return times
	}
	waitFor(t, "all records in the archive", func() bool { return len(distinct()) == accepted })
	duplicates := 0
	for _, n := range distinct() {
		duplicates += n - 1
	}
	t.Logf("%d records accepted, 0 lost, %d duplicates", accepted, duplicates)
	if inspection, err = found.Inspect(t.Context()); err != nil || len(inspection.Taps) > 0 {
		t.Errorf("Inspect has the taps %v, %v, want none that does not feed its tap", inspection.Taps, err)
	}
	r := verified(t, found, began)
	if !r.Equal() || r.Bridged.Records == 0 || r.Drained.Records == 0 || r.Archived.Records != accepted+duplicates {
		t.Errorf("verify: %d bridged, %d drained, %d archived of %d, findings %v", r.Bridged.Records, r.Drained.Records, r.Archived.Records, accepted, r.Findings)
	}
}

// verified verifies orders since a time.
func verified(t *testing.T, found deployment.Target, began time.Time) *verify.Report {
	t.Helper()
	bucket, err := found.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Run(t.Context(), verify.Config{
		Stream: "orders", From: began.Add(-time.Second), To: time.Now(), Objects: bucket.Bucket,
		Packed: func(ctx context.Context, from, to time.Time, each func(pack.Line) error) error {
			return found.Packed(ctx, "orders", from, to, each)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// refusing is a Firehose that accepts nothing and counts the calls.
type refusing struct{ calls atomic.Int64 }

func (r *refusing) Put(context.Context, string, []sink.Entry) ([]sink.Failure, error) {
	r.calls.Add(1)
	return nil, errors.New("the Firehose accepts nothing")
}

// The records on a tap are delivered also if the next process starts without the tap.
func TestTheRecordsOfAnEarlierTapAreDelivered(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Streams = withTap(t, "true")
	var firehose refusing
	o.Seams.Firehose = func(sink.Service) sink.Service { return &firehose }
	p := start(t, o)
	p.post(t, "orders", "on the tap")
	waitFor(t, "the bridge to have the record", func() bool { return firehose.calls.Load() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p.stopped = true
	if err := p.Stop(ctx); err == nil {
		t.Fatal("Stop: no error, want the record left on the tap")
	}
	o.Seams.Firehose, o.Streams = nil, withTap(t, "false")
	p = start(t, o)
	p.post(t, "orders", "without a tap")
	waitFor(t, "both records", func() bool { return len(bodies(t, p.root, "orders")) == 2 })
	p.stop(t)
}

func TestAStreamWithoutATapHasNoKinesisStream(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Streams = withTap(t, "false")
	o.OperatorAddr, o.AWSAddr = "127.0.0.1:0", "127.0.0.1:0"
	p := start(t, o)
	p.post(t, "orders", "a")
	waitFor(t, "the record", func() bool { return len(bodies(t, p.root, "orders")) == 1 })
	found, err := deployment.Find(t.Context(), deployment.Options{Data: o.Data})
	if err != nil {
		t.Fatal(err)
	}
	lags, err := found.Lags(t.Context(), nil)
	if lag := lags["orders"]; err != nil || lag.Bridge != nil || lag.Firehose == nil {
		t.Errorf("lags %+v, %v, want a Firehose and no bridge", lags, err)
	}
	if err := found.Tap(t.Context(), "orders", tap.Window{From: time.Now(), Until: time.Now()}, nil); err == nil {
		t.Error("the tap can be read")
	}
	if _, err := os.Stat(filepath.Join(o.Data, "kinesis", "datasink.orders")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the Kinesis stream: %v, want none", err)
	}
}
