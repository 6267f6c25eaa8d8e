package sink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// fakeService answers each call with a function.
type fakeService struct {
	put func(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error)
}

var _ sink.Service = fakeService{}

func (f fakeService) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	return f.put(ctx, stream, entries)
}

// answer answers one call.
type answer func(call []sink.Entry) ([]sink.Failure, error)

// script answers each call with the next of its answers, and after the last one
// accepts every entry. It records the data of all calls and of accepted entries.
type script struct {
	answers []answer
	calls   [][]string
	taken   map[string]int
}

func (s *script) Put(_ context.Context, _ string, entries []sink.Entry) ([]sink.Failure, error) {
	var answer answer = all
	if n := len(s.calls); n < len(s.answers) {
		answer = s.answers[n]
	}
	call := make([]string, len(entries))
	for i, e := range entries {
		call[i] = string(e.Data)
	}
	s.calls = append(s.calls, call)
	failures, err := answer(entries)
	if err != nil {
		return failures, err
	}
	refused := map[int]bool{}
	for _, f := range failures {
		refused[f.Index] = true
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	for i, data := range call {
		if !refused[i] {
			s.taken[data]++
		}
	}
	return failures, nil
}

func (s *script) sizes() []int {
	sizes := make([]int, len(s.calls))
	for i, call := range s.calls {
		sizes[i] = len(call)
	}
	return sizes
}

// all accepts every entry.
func all([]sink.Entry) ([]sink.Failure, error) { return nil, nil }

// fails fails the whole call.
func fails(err error) answer {
	return func([]sink.Entry) ([]sink.Failure, error) { return nil, err }
}

// refuses refuses the entries at the given positions.
func refuses(err error, positions ...int) answer {
	return func([]sink.Entry) ([]sink.Failure, error) {
		var failures []sink.Failure
		for _, p := range positions {
			failures = append(failures, sink.Failure{Index: p, Err: err})
		}
		return failures, nil
	}
}

// refusesFirst refuses the first n entries of the call.
func refusesFirst(n int, err error) answer {
	return func(call []sink.Entry) ([]sink.Failure, error) {
		var failures []sink.Failure
		for p := range min(n, len(call)) {
			failures = append(failures, sink.Failure{Index: p, Err: err})
		}
		return failures, nil
	}
}

var (
	errUnknown   = errors.New("PutRecords: ResourceNotFoundException")
	errThrottled = fmt.Errorf("PutRecords: LimitExceededException: %w", sink.ErrThrottled)
	errInvalid   = fmt.Errorf("PutRecords: ValidationException: %w", sink.ErrInvalid)
)

// numbered returns n entries whose data are "0", "1", …
func numbered(n int) []sink.Entry {
	entries := make([]sink.Entry, n)
	for i := range entries {
		entries[i] = sink.Entry{PartitionKey: "k", Data: fmt.Append(nil, i)}
	}
	return entries
}

// sized returns entries of the given sizes, including a partition key of one byte.
func sized(sizes ...int) []sink.Entry {
	entries := make([]sink.Entry, len(sizes))
	for i, size := range sizes {
		entries[i] = sink.Entry{PartitionKey: "k", Data: []byte(strings.Repeat("x", size-1))}
	}
	return entries
}

// takenOnce fails the test unless each of the entries was accepted exactly once.
func (s *script) takenOnce(tb testing.TB, entries []sink.Entry) {
	tb.Helper()
	for _, e := range entries {
		if n := s.taken[string(e.Data)]; n != 1 {
			tb.Errorf("entry %q was taken %d times, want once", e.Data, n)
		}
	}
	if len(s.taken) != len(entries) {
		tb.Errorf("%d entries taken, want %d", len(s.taken), len(entries))
	}
}
