package page_test

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// ledgerOf reads a figure of the page's ledger by its label.
func ledgerOf(t *testing.T, home, label string) string {
	t.Helper()
	_, _, html := do(t, "GET", home, nil, nil)
	found := regexp.MustCompile(`<dt>` + label + `</dt><dd[^>]*>([^<]*)</dd>`).FindStringSubmatch(html)
	if found == nil {
		return "none"
	}
	return found[1]
}

func post(t *testing.T, home, body string) {
	t.Helper()
	do(t, "POST", home+"page/send", url.Values{"stream": {"orders"}, "body": {body}, "times": {"1"}}, nil)
}

// forgetfulQueue takes no acknowledgement of the first claim: the claim returns
// when its lease has run out, and its records go out again.
type forgetfulQueue struct {
	local.Queue
	first *atomic.Pointer[string]
}

func (q forgetfulQueue) Ack(ctx context.Context, c queue.Claim, aside []int) (bool, error) {
	if q.first.CompareAndSwap(nil, &c.ID) || *q.first.Load() == c.ID {
		return false, errors.New("the link is down")
	}
	return q.Queue.Ack(ctx, c, aside)
}

func TestPageCountsWhatCameTwice(t *testing.T) {
	t.Parallel()
	var first atomic.Pointer[string]
	home := start(t, func(o *local.Options) {
		o.Seams.DrainerQueue = func(q local.Queue) local.Queue { return forgetfulQueue{q, &first} }
	})
	post(t, home, "twice")
	waitFor(t, "a lost acknowledgement", func() bool { return first.Load() != nil })
	waitFor(t, "the record that came twice", func() bool {
		// A record that follows wakes the drainer, which finds the claim.
		post(t, home, "once")
		time.Sleep(500 * time.Millisecond)
		return ledgerOf(t, home, "Came twice") == "1"
	})
	waitFor(t, "rest", func() bool { return ledgerOf(t, home, "On the way") == "0" })
	if accepted, archived := ledgerOf(t, home, "Accepted"), ledgerOf(t, home, "In the archive"); accepted != archived {
		t.Errorf("accepted %s, in the archive %s: what came twice must not count twice", accepted, archived)
	}
}

// stuckQueue gives nothing out.
type stuckQueue struct{ local.Queue }

func (stuckQueue) Claim(context.Context, string, string, time.Duration, int, int) (queue.Claim, error) {
	return queue.Claim{}, errors.New("stuck")
}

func TestPageTellsWhatItFoundAtTheStart(t *testing.T) {
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
	_ = stop() // It says what stays in Redis.

	home = start(t, func(o *local.Options) { o.Data, o.RedisURL = data, redis.URL })
	if got := ledgerOf(t, home, "Found in Redis at the start"); got != "3" {
		t.Errorf("found %s at the start, want 3", got)
	}
	post(t, home, "new")
	waitFor(t, "all in the archive", func() bool {
		return ledgerOf(t, home, "In the archive") == "4" && ledgerOf(t, home, "On the way") == "0"
	})
	if got := ledgerOf(t, home, "Accepted"); got != "4" {
		t.Errorf("accepted %s with what was found, want 4", got)
	}
	if got := ledgerOf(t, home, "Came twice"); got != "0" {
		t.Errorf("came twice %s, want 0", got)
	}
}
