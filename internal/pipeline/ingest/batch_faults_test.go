package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// failingFrom makes the pushes from part n on fail.
func failingFrom(n int, err error) func(*service) {
	return func(s *service) {
		parts := 0
		s.queue.pushPart = func(ctx context.Context, name string, p queue.Part, bound int64) (queue.PartPushed, error) {
			if parts++; parts > n {
				return queue.PartPushed{}, err
			}
			for _, e := range p.Envelopes {
				if _, err := s.queue.Push(ctx, name, e, bound); err != nil {
					return queue.PartPushed{}, err
				}
			}
			return queue.PartPushed{Done: p.First + len(p.Envelopes)}, nil
		}
	}
}

// The lines that the queue does not accept become one direct record, whose id is that
// of its first line.
func TestBatchFallsBackFromAPartOn(t *testing.T) {
	t.Parallel()
	s := newService(t, failingFrom(1, errDown))
	a := s.do(post(t, "\n"+strings.ReplaceAll(numbered(1200, 0), "\n", "\r\n\n"), at("/archives/orders/batch")), 202)
	if got := len(s.queue.records); got != 500 {
		t.Errorf("%d records pushed, want 500", got)
	}
	if len(s.archive.puts) != 1 || s.archive.puts[0].why != archive.Fallback {
		t.Fatalf("archived %d direct records, want one fallback", len(s.archive.puts))
	}
	var want strings.Builder
	for i := 500; i < 1200; i++ {
		fmt.Fprintf(&want, "%d\r\n", i)
	}
	record := s.archive.puts[0].record
	if string(record.Body) != want.String() {
		t.Errorf("direct record begins %.20q and has %d bytes, want %.20q and %d", record.Body, len(record.Body), want.String(), want.Len())
	}
	if wantID := a.ID[:32] + "01f4"; record.ID != wantID { // 500
		t.Errorf("id = %s, want %s", record.ID, wantID)
	}
	c := s.total()
	if a.Records != 1200 || c.Records != 1200 || c.Archived[archive.Fallback] != 700 {
		t.Errorf("%d records in the answer and %+v, want 1,200 of which 700 archived", a.Records, c)
	}
}

func TestBatchWithoutQueue(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*service)
		path   string
		why    archive.Reason
	}{
		"bypassed":     {func(s *service) { s.config.BypassQueue = true }, "/archives/orders/batch", archive.Fallback},
		"queue down":   {failingFrom(0, errDown), "/archives/orders/batch", archive.Fallback},
		"backlog full": {failingFrom(0, queue.ErrBacklogFull), "/archives/bounded/batch", archive.Overflow},
	} {
		s := newService(t, tt.change)
		a := s.do(post(t, "a\n\nb", at(tt.path)), 202)
		if len(s.archive.puts) != 1 || s.archive.puts[0].why != tt.why || string(s.archive.puts[0].record.Body) != "a\nb\n" || s.archive.puts[0].record.ID != a.ID {
			t.Errorf("%s: archived %+v, want both lines as one %s record with id %s", name, s.archive.puts, tt.why, a.ID)
		}
	}
	for name, tt := range map[string]struct {
		change func(*service)
		path   string
	}{
		"queue and archive down": {func(s *service) { failingFrom(0, errDown)(s); broken(s) }, "/archives/orders/batch"},
		"backlog full":           {failingFrom(0, queue.ErrBacklogFull), "/archives/strict/batch"},
	} {
		s := newService(t, tt.change)
		a := s.do(post(t, "a\nb", at(tt.path)), 503)
		if a.Code != "unavailable" || a.header.Get("Retry-After") == "" || len(s.archive.puts) != 0 {
			t.Errorf("%s: %+v and %d direct records, want unavailable and none", name, a, len(s.archive.puts))
		}
		if got := s.total(); got.Records != 0 {
			t.Errorf("%s: the outcomes add up to %+v, want nothing accepted", name, got)
		}
	}
}

// A batch counts once for the breaker: three batches open it.
func TestABatchCountsOnceForTheBreaker(t *testing.T) {
	t.Parallel()
	parts := 0
	s := newService(t, func(s *service) {
		s.queue.pushPart = func(context.Context, string, queue.Part, int64) (queue.PartPushed, error) {
			parts++
			return queue.PartPushed{}, errDown
		}
	})
	for range 5 {
		s.do(post(t, numbered(2000, 0), at("/archives/orders/batch")), 202)
	}
	if parts != 3 {
		t.Errorf("%d parts were tried, want 3", parts)
	}
}

// Lines that are too large for the tap become direct records of their own.
func TestBatchWithOversizeLines(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("b", stream.MaxFramedBytes)
	s := newService(t)
	a := s.do(post(t, "a\n"+large+"\nc\n"+large+"d\n", at("/archives/orders/batch")), 202)
	if diff := cmp.Diff([]string{"a", "c"}, s.bodiesOf()); diff != "" {
		t.Errorf("pushed (-want +got):\n%s", diff)
	}
	if got, want := s.queue.records[1].ID, a.ID[:32]+"0002"; got != want {
		t.Errorf("id of the third line = %s, want %s", got, want)
	}
	var ids []string
	for _, put := range s.archive.puts {
		if put.why != archive.Oversize {
			t.Errorf("reason = %s, want oversize", put.why)
		}
		ids = append(ids, put.record.ID)
	}
	if diff := cmp.Diff([]string{a.ID[:32] + "0001", a.ID[:32] + "0003"}, ids); diff != "" {
		t.Errorf("ids of the direct records (-want +got):\n%s", diff)
	}
	if c := s.total(); a.Records != 4 || c.Records != 4 || c.Archived[archive.Oversize] != 2 {
		t.Errorf("%d records in the answer and %+v, want 4 of which 2 archived", a.Records, c)
	}

	// Without an archive nothing is pushed, because the client will repeat the batch.
	s = newService(t, func(s *service) { s.archive.put = func(context.Context) error { return errDown } })
	s.do(post(t, "a\n"+large, at("/archives/orders/batch")), 503)
	if len(s.queue.records) != 0 {
		t.Errorf("%d records pushed, want none", len(s.queue.records))
	}
}

// The pushes of a batch end after two seconds. The remaining lines become a direct
// record.
func TestSlowBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pushed := 0
		s := newService(t, func(s *service) {
			s.queue.pushPart = func(_ context.Context, _ string, p queue.Part, _ int64) (queue.PartPushed, error) {
				time.Sleep(200 * time.Millisecond)
				pushed += len(p.Envelopes)
				return queue.PartPushed{Done: pushed}, nil
			}
		})
		start := time.Now()
		s.do(post(t, numbered(10_000, 0), at("/archives/orders/batch")), 202)
		if took := time.Since(start); took != 2*time.Second || pushed != 5000 {
			t.Errorf("%d lines pushed in %v, want 5,000 in 2s", pushed, took)
		}
		if c := s.total(); c.Archived[archive.Fallback] != 5000 {
			t.Errorf("the outcomes add up to %+v, want 5,000 archived", c)
		}
	})
}

// One wake-up is sent for a batch.
func TestBatchWakesOnce(t *testing.T) {
	t.Parallel()
	n := 0
	s := newService(t, wakes(&n, nil), func(s *service) {
		s.queue.pushPart = func(_ context.Context, _ string, p queue.Part, _ int64) (queue.PartPushed, error) {
			return queue.PartPushed{Pushed: queue.Pushed{WakeDue: true}, Done: p.First + len(p.Envelopes)}, nil
		}
	})
	s.do(post(t, numbered(1000, 0), at("/archives/orders/batch")), 202)
	if n != 1 {
		t.Errorf("%d wake-ups, want 1", n)
	}
}
