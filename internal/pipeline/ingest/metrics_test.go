package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
)

func TestRequestsBecomeMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		window := metric.NewWindow(metric.NewWriter(&out, "d", false))
		s := newService(t, func(s *service) {
			s.config.Observe = ingest.Metrics{Window: window}.Observe
			s.config.MaxBodyBytes = 2 << 20
			s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
				time.Sleep(3 * time.Millisecond)
				return queue.Pushed{}, nil
			}
		})
		s.do(post(t, "hello"), http.StatusAccepted)
		s.do(post(t, "world!"), http.StatusAccepted)
		s.do(post(t, strings.Repeat("x", stream.MaxFramedBytes+1)), http.StatusAccepted)
		s.do(post(t, "hello", at("/archives/nope")), http.StatusNotFound)
		s.do(post(t, "hello", without("Authorization")), http.StatusUnauthorized)
		s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
			return queue.Pushed{}, errors.New("down")
		}
		s.do(post(t, "hello"), http.StatusAccepted)
		window.Flush()

		sums := make(map[string]float64)
		for _, p := range metrictest.Read(t, out.Bytes()) {
			if p.Dimensions != "Service=d" {
				t.Errorf("%s has dimensions %s", p.Name, p.Dimensions)
			}
			for _, v := range p.Values {
				sums[p.Name] += v
			}
		}
		want := map[string]float64{
			"Accepted": 4, "AcceptedBytes": 5 + 6 + stream.MaxFramedBytes + 1 + 5, "ArchivedOversize": 1, "ArchivedFallback": 1,
			"RefusedUnknownStream": 1, "RefusedUnauthorized": 1, "PushLatency": 6,
		}
		if diff := cmp.Diff(want, sums); diff != "" {
			t.Errorf("sums (-want +got):\n%s", diff)
		}
	})
}

func TestEachStreamHasItsCountsOnRequest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newService(t, func(s *service) {
		s.config.Observe = ingest.Metrics{Window: metric.NewWindow(metric.NewWriter(&out, "d", true))}.Observe
	})
	s.do(post(t, "hello"), http.StatusAccepted)
	if got := strings.Join(metrictest.Texts(metrictest.Read(t, out.Bytes())), "\n"); !strings.Contains(got, "Accepted Service=d Stream=orders: 1\nAccepted Service=d: 1") {
		t.Errorf("metrics:\n%s", got)
	}
}
