package sink_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"pgregory.net/rapid"
)

// fault is what happens to one call in the model.
type fault int

const (
	healthy      fault = iota
	refuseSome         // some entries are refused, the others accepted
	failBefore         // the call fails, no entry was accepted
	failAfter          // the call fails, all entries were accepted
	failHalfway        // the call fails, some entries were accepted
	misfit             // all entries were accepted, the answer names an unknown entry
	hang               // no entry was accepted, the call lasts until the context ends
	hangAfter          // all entries were accepted, the call lasts until the context ends
	cancelled          // all entries were accepted, the context ends with the answer
	numberFaults       // not a fault
)

// step is a fault of one call. hit says which entries of the call it affects, by
// position.
type step struct {
	fault     fault
	hit       []bool
	throttled bool
}

// modelled is a service with a schedule of faults. It never accepts poison entries,
// and refuses either the entry or its whole call, as AWS does.
type modelled struct {
	tb        *rapid.T
	limits    sink.Limits
	cancel    context.CancelFunc
	poison    map[string]bool
	byEntry   bool
	steps     []step
	calls     int
	sent      map[string]int
	taken     map[string]int
	throttled int
	after     bool // whether a call failed after it had accepted entries
}

func (m *modelled) Put(ctx context.Context, _ string, call []sink.Entry) ([]sink.Failure, error) {
	m.check(ctx, call)
	s := step{fault: healthy}
	if m.calls < len(m.steps) {
		s = m.steps[m.calls]
	}
	m.calls++
	hit := func(i int) bool { return len(s.hit) > 0 && s.hit[i%len(s.hit)] }
	cause := errUnknown
	if s.throttled {
		cause = errThrottled
	}

	switch s.fault {
	case failBefore:
		if s.throttled {
			m.throttled += len(call)
		}
		return nil, cause
	case hang:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !m.byEntry && slices.ContainsFunc(call, m.isPoison) {
		return nil, errInvalid
	}
	var failures []sink.Failure
	for i, e := range call {
		switch {
		case m.isPoison(e):
			failures = append(failures, sink.Failure{Index: i, Err: errInvalid})
		case s.fault == refuseSome && hit(i):
			failures = append(failures, sink.Failure{Index: i, Err: cause})
			if s.throttled {
				m.throttled++
			}
		case s.fault == failHalfway && hit(i):
		default:
			m.taken[string(e.Data)]++
		}
	}
	switch s.fault {
	case failAfter, failHalfway:
		m.after = true
		if s.throttled {
			m.throttled += len(call)
		}
		return nil, cause
	case misfit:
		m.after = true
		return append(failures, sink.Failure{Index: len(call), Err: cause}), nil
	case hangAfter:
		m.after = true
		<-ctx.Done()
		return nil, ctx.Err()
	case cancelled:
		m.cancel()
	}
	return failures, nil
}

func (m *modelled) isPoison(e sink.Entry) bool { return m.poison[string(e.Data)] }

// check checks the invariants of a call.
func (m *modelled) check(ctx context.Context, call []sink.Entry) {
	if ctx.Err() != nil {
		m.tb.Errorf("call %d was begun after the context's end", m.calls)
	}
	if len(call) == 0 || m.limits.Entries > 0 && len(call) > m.limits.Entries {
		m.tb.Errorf("call %d has %d entries, limit %d", m.calls, len(call), m.limits.Entries)
	}
	bytes := 0
	for _, e := range call {
		size := len(e.PartitionKey) + len(e.Data)
		bytes += size
		if size > m.limits.EntryBytes {
			m.tb.Errorf("call %d has an entry of %d bytes, limit %d", m.calls, size, m.limits.EntryBytes)
		}
		m.sent[string(e.Data)]++
	}
	if bytes > m.limits.CallBytes {
		m.tb.Errorf("call %d has %d bytes, limit %d", m.calls, bytes, m.limits.CallBytes)
	}
}

func drawStep(t *rapid.T) step {
	return step{
		fault:     fault(rapid.IntRange(0, int(numberFaults)-1).Draw(t, "fault")),
		hit:       rapid.SliceOfN(rapid.Bool(), 1, 8).Draw(t, "hit"),
		throttled: rapid.Bool().Draw(t, "throttled"),
	}
}

// TestNothingIsDropped puts random entries to a service with random faults. Its
// waits take no time, so that each schedule is deterministic.
func TestNothingIsDropped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &modelled{
			tb: rt, poison: map[string]bool{}, sent: map[string]int{}, taken: map[string]int{},
			limits: sink.Limits{
				Entries:    rapid.IntRange(0, 12).Draw(rt, "limit of entries"),
				CallBytes:  rapid.IntRange(40, 300).Draw(rt, "limit of a call's bytes"),
				EntryBytes: rapid.IntRange(20, 40).Draw(rt, "limit of an entry's bytes"),
			},
			byEntry: rapid.Bool().Draw(rt, "poison by entry"),
			steps:   rapid.SliceOfN(rapid.Custom(drawStep), 0, 30).Draw(rt, "steps"),
		}
		var entries []sink.Entry
		for i := range rapid.IntRange(0, 60).Draw(rt, "entries") {
			data := fmt.Sprintf("%d/", i) + strings.Repeat("x", rapid.SampledFrom([]int{0, 3, 10, 30, 45}).Draw(rt, "size"))
			entries = append(entries, sink.Entry{PartitionKey: "key"[:i%4], Data: []byte(data)})
			if rapid.IntRange(0, 9).Draw(rt, "poison") == 0 {
				m.poison[data] = true
			}
		}
		w := sink.Writer{Service: m, Limits: m.limits, MaxAttempts: rapid.IntRange(0, 4).Draw(rt, "max attempts"), BaseDelay: 1}

		var result sink.Result
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m.cancel = cancel
			result = w.Put(ctx, "s", entries)
		})
		m.verify(rt, entries, result)
	})
}

// verify checks the invariants of a result.
func (m *modelled) verify(t *rapid.T, entries []sink.Entry, r sink.Result) {
	if !slices.IsSorted(r.Left) || !slices.IsSortedFunc(r.Invalid, func(a, b sink.Invalid) int { return a.Index - b.Index }) {
		t.Errorf("left %v, invalid %v: want both ascending", r.Left, r.Invalid)
	}
	named := map[int]int{}
	for _, i := range r.Left {
		named[i]++
	}
	for _, i := range r.Invalid {
		named[i.Index]++
		e := entries[i.Index]
		if size := len(e.PartitionKey) + len(e.Data); !m.isPoison(e) && size <= m.limits.EntryBytes {
			t.Errorf("entry %d is called invalid and is not: %s", i.Index, i.Reason)
		}
	}
	for _, i := range r.Doubtful {
		if !slices.Contains(r.Left, i.Index) {
			t.Errorf("entry %d is doubtful and not left", i.Index)
		}
		if !m.isPoison(entries[i.Index]) {
			t.Errorf("entry %d is doubtful and not poison: %s", i.Index, i.Reason)
		}
	}
	resent := 0
	for i, e := range entries {
		taken, sent := m.taken[string(e.Data)], m.sent[string(e.Data)]
		resent += max(0, sent-1)
		switch {
		case named[i] > 1:
			t.Errorf("entry %d is in the result %d times", i, named[i])
		case named[i] == 0 && taken == 0:
			t.Errorf("entry %d was dropped", i)
		case !m.after && named[i] == 0 && taken != 1:
			t.Errorf("entry %d was delivered %d times without a fault after acceptance", i, taken)
		case !m.after && named[i] == 1 && taken != 0:
			t.Errorf("entry %d was delivered, and is in the result", i)
		case m.isPoison(e) && taken > 0:
			t.Errorf("entry %d is poison and was delivered", i)
		}
	}
	if (r.Err != nil) != (len(r.Left) > 0) {
		t.Errorf("error %v with %d entries left", r.Err, len(r.Left))
	}
	if r.Calls != m.calls || r.Retried != resent || r.Throttled != m.throttled {
		t.Errorf("result counts %d calls, %d sent again, %d throttled; seen %d, %d, %d",
			r.Calls, r.Retried, r.Throttled, m.calls, resent, m.throttled)
	}
}
