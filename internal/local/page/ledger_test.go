package page_test

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// ledgerOf reads a number of the page by its label, or returns none.
func ledgerOf(t *testing.T, home, label string) string {
	t.Helper()
	_, _, html := do(t, "GET", home, nil, nil)
	found := regexp.MustCompile(`<dt>` + label + `</dt><dd[^>]*>([^<]*)</dd>`).FindStringSubmatch(html)
	if found == nil {
		return "none"
	}
	return found[1]
}

// numberOf reads a number of the page by its label. A number without a place on the
// page is 0.
func numberOf(t *testing.T, home, label string) int {
	t.Helper()
	text := ledgerOf(t, home, label)
	if text == "none" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func copiesOf(t *testing.T, home string) int {
	t.Helper()
	return numberOf(t, home, `\+ Copies`)
}

// allArchived reports whether the archive holds each accepted record and each copy.
// A busy machine can hold up a delivery beyond its lease, which makes a copy.
func allArchived(t *testing.T, home string) bool {
	t.Helper()
	archived, accepted := numberOf(t, home, `\+ In the archive`), numberOf(t, home, "Accepted")
	return archived == accepted+copiesOf(t, home) && numberOf(t, home, "= In Redis") == 0
}

// foundAtStart reads the number of records that the page found in Redis.
func foundAtStart(t *testing.T, home string) string {
	t.Helper()
	_, _, html := do(t, "GET", home, nil, nil)
	_, rest, _ := strings.Cut(html, `<b id="found">`)
	n, _, _ := strings.Cut(rest, "<")
	return n
}

func post(t *testing.T, home, body string) {
	t.Helper()
	do(t, "POST", home+"page/send", url.Values{"stream": {"orders"}, "body": {body}, "times": {"1"}}, nil)
}

// forgetfulQueue fails the acknowledgement of the first claim: the claim returns to
// the queue when its lease expires, and its records are delivered again.
type forgetfulQueue struct {
	local.Queue
	first *atomic.Pointer[string]
}

func (q forgetfulQueue) Ack(ctx context.Context, c queue.Claim, dead []int) (bool, error) {
	if q.first.CompareAndSwap(nil, &c.ID) || *q.first.Load() == c.ID {
		return false, errors.New("the link is down")
	}
	return q.Queue.Ack(ctx, c, dead)
}

func TestPageCountsCopies(t *testing.T) {
	t.Parallel()
	var first atomic.Pointer[string]
	home := start(t, func(o *local.Options) {
		o.Lease = 2 * time.Second
		o.Seams.DrainerQueue = func(q local.Queue) local.Queue { return forgetfulQueue{q, &first} }
	})
	post(t, home, "twice")
	waitFor(t, "a lost acknowledgement", func() bool { return first.Load() != nil })
	waitFor(t, "the copy", func() bool { return copiesOf(t, home) > 0 })
	waitFor(t, "the copy in the archive", func() bool {
		// A further record wakes the drainer, which finds the claim once its lease has
		// expired.
		post(t, home, "once")
		for range 10 {
			if allArchived(t, home) && copiesOf(t, home) > 0 {
				return true
			}
			time.Sleep(100 * time.Millisecond)
		}
		return false
	})
	_, _, html := do(t, "GET", home, nil, nil)
	if want := "No: all accepted records are in the archive."; !strings.Contains(html, want) {
		t.Errorf("the page does not say %q", want)
	}
}

// stuckQueue fails every claim.
type stuckQueue struct{ local.Queue }

func (stuckQueue) Claim(context.Context, string, string, time.Duration, int, int) (queue.Claim, error) {
	return queue.Claim{}, errors.New("stuck")
}

func TestPageCountsRecordsThatItFoundInRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	data := t.TempDir()
	home, stop := startUntil(t, func(o *local.Options) {
		o.Data, o.RedisURL = data, redis.URL
		o.Seams.DrainerQueue = func(q local.Queue) local.Queue { return stuckQueue{q} }
	})
	for range 3 {
		post(t, home, "left behind")
	}
	if got := ledgerOf(t, home, "Accepted"); got != "3" {
		t.Fatalf("accepted %s, want 3", got)
	}
	_ = stop() // The error says that records stay in Redis.

	home = start(t, func(o *local.Options) {
		o.Data, o.RedisURL = data, redis.URL
		// Soon after the records of the first pipeline, no wake-up is due for a new one.
		o.SweepInterval = time.Second
	})
	if got := foundAtStart(t, home); got != "3" {
		t.Errorf("found %s at the start, want 3", got)
	}
	post(t, home, "new")
	waitFor(t, "all in the archive", func() bool { return allArchived(t, home) })
	if got := ledgerOf(t, home, "Accepted"); got != "4" {
		t.Errorf("accepted %s with the found records, want 4", got)
	}
}

// deafFirehose accepts nothing.
type deafFirehose struct{ called *atomic.Bool }

func (f deafFirehose) Put(context.Context, string, []sink.Entry) ([]sink.Failure, error) {
	f.called.Store(true)
	return nil, errors.New("the Firehose accepts nothing")
}

func TestPageCountsRecordsThatItFoundOnTheTap(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var called atomic.Bool
	p, stop := startPipeline(t, func(o *local.Options) {
		o.Data = data
		o.Seams.Firehose = func(sink.Service) sink.Service { return deafFirehose{&called} }
	})
	for range 3 {
		post(t, homeOf(p), "left behind")
	}
	waitFor(t, "all records on the tap", func() bool {
		n, err := p.OnTap("orders")
		return n == 3 && err == nil && called.Load()
	})
	_ = stop() // The error says that records stay on the tap.

	home := start(t, func(o *local.Options) { o.Data = data })
	if got := foundAtStart(t, home); got != "3" {
		t.Errorf("found %s at the start, want 3", got)
	}
	post(t, home, "new")
	waitFor(t, "all in the archive", func() bool { return allArchived(t, home) })
	if got := ledgerOf(t, home, "Accepted"); got != "4" {
		t.Errorf("accepted %s with the found records, want 4", got)
	}
}
