package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// redeliver invokes the handler as the mapping does: each batch begins with the
// record that the response to the last one named. It returns the remaining records.
func redeliver(t *testing.T, b *bench, list []sent, times int) []sent {
	t.Helper()
	for range times {
		first := invoke(t, b.Handler, t.Context(), event(list))
		if first == "" {
			return nil
		}
		for list[0].sequence != first {
			list = list[1:]
		}
		b.now = b.now.Add(time.Minute)
	}
	return list
}

// counts is how often Firehose accepted the packed records, by their first letters.
func counts(b *bench) map[string]int {
	n := make(map[string]int)
	for _, body := range b.firehose.took {
		n[string(body[:1])]++
	}
	return n
}

func TestAHeadThatIsSentAgainIsSentAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var calls []string
	b.firehose.refuse = func(entries []sink.Entry) sink.Result {
		var call strings.Builder
		for _, e := range entries {
			call.WriteByte(e.Data[0])
		}
		calls = append(calls, call.String())
		return refuse("c", "")(entries)
	}
	left := redeliver(t, b, pairs(4), 10) // the packed records a, c, e and g
	if len(left) != 6 {
		t.Fatalf("%d records are left, want 6", len(left))
	}
	if diff := cmp.Diff([]string{"aceg", "c", "c", "c", "c", "c", "c", "c", "c", "c"}, calls); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "e": 1, "g": 1}, counts(b)); diff != "" {
		t.Errorf("accepted packed records differ (-want +got):\n%s", diff)
	}
	for i, s := range b.summaries {
		want := time.Duration(max(0, i)) * time.Minute
		if s.Blocked != want {
			t.Errorf("invocation %d: blocked for %v, want %v", i, s.Blocked, want)
		}
	}
	if line := `"blockedSince":"2026-11-22T23:00:10Z"`; strings.Count(b.log.String(), line) != 9 {
		t.Errorf("want 9 lines with %s:\n%s", line, &b.log)
	}

	// Once the head is settled, the records behind it are delivered as well. They
	// are the duplicates of the one batch that failed.
	calls = nil
	b.firehose.refuse = nil
	if left := redeliver(t, b, left, 1); len(left) != 0 {
		t.Errorf("%d records are left, want none", len(left))
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "c": 1, "e": 2, "g": 2}, counts(b)); diff != "" {
		t.Errorf("accepted packed records differ (-want +got):\n%s", diff)
	}
}

func TestARetryStopsAtTheNextRefusedRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.firehose.refuse = refuse("ae", "")
	list := pairs(4)
	if left := redeliver(t, b, list, 3); len(left) != 8 {
		t.Fatalf("%d records are left, want 8", len(left))
	}
	b.firehose.refuse = refuse("e", "")
	left := redeliver(t, b, list, 5)
	if len(left) != 4 {
		t.Fatalf("%d records are left, want 4", len(left))
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "c": 2, "g": 1}, counts(b)); diff != "" {
		t.Errorf("accepted packed records differ (-want +got):\n%s", diff)
	}
}

func TestAnInvocationThatEndedWithoutAResponseCountsAsATry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.firehose.refuse = func([]sink.Entry) sink.Result { panic("the function is killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = b.Invoke(t.Context(), event(pairs(2)))
	}()
	b.firehose.refuse = refuse("a", "")
	invoke(t, b.Handler, t.Context(), event(pairs(2)))
	if diff := cmp.Diff(map[string]int{}, counts(b)); diff != "" {
		t.Errorf("accepted packed records differ (-want +got):\n%s", diff)
	}
}

func TestShardsAreRetriedApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.firehose.refuse = refuse("a", "")
	invoke(t, b.Handler, t.Context(), event(pairs(2)))
	other := pairs(2)
	for i := range other {
		other[i].stream = "datasink.gone"
	}
	b.firehose.refuse = nil
	b.firehose.took = nil
	invoke(t, b.Handler, t.Context(), event(other))
	if diff := cmp.Diff(map[string]int{"a": 1, "c": 1}, counts(b)); diff != "" {
		t.Errorf("accepted packed records of the other stream (-want +got):\n%s", diff)
	}
	if b.summaries[1].Blocked != 0 {
		t.Errorf("the other stream is blocked for %v, want 0", b.summaries[1].Blocked)
	}
}

func TestARefusedHeadBecomesADeadLetterOnceTheNextRecordPasses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.firehose.refuse = refuse("a", "") // the packed record of a and b, and a alone
	list := pairs(3)
	left := redeliver(t, b, list, 15) // the last try is 14 minutes after the first
	if len(left) != 6 || len(b.failed.puts) != 0 {
		t.Fatalf("%d records are left and %d objects with dead letters written, want 6 and 0", len(left), len(b.failed.puts))
	}
	if left := redeliver(t, b, list, 1); len(left) != 0 {
		t.Errorf("%d records are left after 15 minutes, want none", len(left))
	}
	if diff := cmp.Diff(map[string]int{"b": 1, "c": 2, "e": 2}, counts(b)); diff != "" {
		t.Errorf("accepted Firehose records differ (-want +got):\n%s", diff)
	}
	want := deadLetter(list[0], "Firehose has refused the record since 2026-11-22T23:00:10Z and accepts others: InternalFailure")
	want.FailedAt = b.now
	kept := b.failed.kept["bridge/orders/shardId-000000000007-1"]
	if len(kept) != 1 || len(b.failed.kept) != 1 {
		t.Fatalf("dead letters %v, want one record", b.failed.puts)
	}
	if diff := cmp.Diff(want, kept[0], cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("dead letter differs (-want +got):\n%.2000s", diff)
	}
	// The shard is no longer blocked: its next batch is sent in one call.
	invoke(t, b.Handler, t.Context(), event(list[2:]))
	if last := b.summaries[len(b.summaries)-1]; last.Packed != 2 || last.Blocked != 0 {
		t.Errorf("summary of the next batch = %+v, want 2 packed records, not blocked", last)
	}
}

func TestAllWaitWhileFirehoseAcceptsNothing(t *testing.T) {
	t.Parallel()
	for name, probe := range map[string]func([]sink.Entry) sink.Result{
		"every entry refused": refuse("abcdef", ""),
		"some throttled": func(entries []sink.Entry) sink.Result {
			result := refuse("ab", "")(entries)
			result.Throttled = 1
			return result
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			probes := 0
			b.firehose.refuse = func(entries []sink.Entry) sink.Result {
				if len(entries) == 3 && entries[1].Data[0] == 'b' { // a, b and the next packed record
					probes++
					return probe(entries)
				}
				return refuse("ac", "")(entries)
			}
			left := redeliver(t, b, pairs(3), 50)
			if len(left) != 6 {
				t.Errorf("%d records are left, want all 6", len(left))
			}
			if len(b.failed.puts) != 0 {
				t.Errorf("dead letters %v, want none", b.failed.puts)
			}
			if probes != 3 { // after 15, 30 and 45 minutes
				t.Errorf("%d probes in 50 minutes, want 3", probes)
			}
		})
	}
}

func TestABlockedHeadThatCannotBecomeADeadLetterBlocks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.failed.err = errors.New("access denied")
	b.firehose.refuse = refuse("", "a")
	left := redeliver(t, b, pairs(4), 20)
	if len(left) != 8 {
		t.Fatalf("%d records are left, want 8", len(left))
	}
	got := counts(b)
	delete(got, "b") // is sent with each try, because it shares a packed record with a
	if diff := cmp.Diff(map[string]int{"c": 1, "e": 1, "g": 1}, got); diff != "" {
		t.Errorf("accepted packed records differ (-want +got):\n%s", diff)
	}
}

// recovering is a Firehose at the end of an outage. Until it has recovered, every
// call fails. Then it accepts one call of several entries and refuses one entry of
// it, and all later calls last until their context ends.
type recovering struct {
	recovered bool
	accepted  int
}

func (r *recovering) Put(ctx context.Context, _ string, entries []sink.Entry) ([]sink.Failure, error) {
	switch {
	case !r.recovered || len(entries) == 1:
		return nil, errors.New("PutRecordBatch: InternalFailure")
	case r.accepted == 0:
		last := len(entries) - 1
		r.accepted = last
		return []sink.Failure{{Index: last, Err: errors.New("PutRecordBatch: InternalFailure")}}, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// A probe that ends before Firehose has answered for each record makes no dead
// letters of the records without an answer.
func TestAProbeThatRunsOutOfTimeLeavesTheRecordsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &recovering{}
		dead := &failed{}
		h := bridge.New(bridge.Config{
			Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(t), Archive: dead, Log: silent,
			Firehose: bridge.FirehoseWriter(service),
		})
		var list []sent
		for i := range 1500 { // one packed record, and three calls of the probe
			list = append(list, record(i, []byte("healthy")))
		}
		deliver := func() string {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			return invoke(t, h, ctx, event(list))
		}
		if first := deliver(); first != "1" {
			t.Fatalf("undelivered from %q on, want 1", first)
		}
		time.Sleep(15 * time.Minute)
		service.recovered = true
		if first := deliver(); first != fmt.Sprint(service.accepted+1) || service.accepted == 0 {
			t.Errorf("undelivered from %q on after %d records were accepted", first, service.accepted)
		}
		if len(dead.puts) != 0 {
			t.Errorf("dead letters %v, want none", dead.puts)
		}
	})
}

// partial refuses entries that begin with a letter and accepts all others.
type partial struct {
	letter byte
	took   map[string]int
}

func (p *partial) Put(_ context.Context, _ string, entries []sink.Entry) ([]sink.Failure, error) {
	var failures []sink.Failure
	for i, e := range entries {
		if e.Data[0] == p.letter {
			failures = append(failures, sink.Failure{Index: i, Err: errors.New("PutRecordBatch: InternalFailure")})
		} else {
			p.took[string(e.Data[:1])]++
		}
	}
	return failures, nil
}

// TestDuplicatesOfARefusedRecordAreBounded runs the real Writer and invocations of
// a minute, until the refused record becomes a dead letter.
func TestDuplicatesOfARefusedRecordAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &partial{letter: 'a', took: make(map[string]int)}
		dead := &failed{}
		h := bridge.New(bridge.Config{
			Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(t), Archive: dead, Log: silent,
			Firehose: bridge.FirehoseWriter(service),
		})
		list := pairs(4)
		start := time.Now()
		invocations := 0
		for len(list) > 0 && invocations < 100 {
			invocations++
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			first := invoke(t, h, ctx, event(list))
			cancel()
			if first == "" {
				list = nil
			}
			for len(list) > 0 && list[0].sequence != first {
				list = list[1:]
			}
		}
		if took := time.Since(start); took > 17*time.Minute {
			t.Errorf("the head blocked its shard for %v, want 17m at most", took)
		}
		if diff := cmp.Diff(map[string]int{"b": 1, "c": 2, "e": 2, "g": 2}, service.took); diff != "" {
			t.Errorf("accepted Firehose records after %d invocations (-want +got):\n%s", invocations, diff)
		}
		if diff := cmp.Diff([]string{"bridge/orders/shardId-000000000007-1"}, dead.puts); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}

// TestEveryRecordEndsSomewhere redelivers a batch through a Firehose that refuses,
// throttles and leaves entries at random, with dead letters that cannot always be
// written.
func TestEveryRecordEndsSomewhere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(15) {
		b := setup(t)
		chance := newChance(seed)
		b.failed.fails = func() bool { return chance.once(3) }
		b.firehose.refuse = func(entries []sink.Entry) sink.Result {
			var result sink.Result
			for i := range entries {
				switch {
				case chance.once(4):
					result.Left = append(result.Left, i)
					result.Err = errors.New("InternalFailure")
					if chance.once(2) {
						result.Throttled++
					}
					if chance.once(2) {
						result.Refused = append(result.Refused, i)
					} else if chance.once(2) {
						result.Doubtful = append(result.Doubtful, sink.Invalid{Index: i, Reason: "refused"})
					}
				case chance.once(6):
					result.Invalid = append(result.Invalid, sink.Invalid{Index: i, Reason: "refused"})
				}
			}
			return result
		}
		var list []sent
		for i := range 12 {
			size := []int{0, 5, 5, 5, 400_000, stream.MaxFramedBytes + 1}[chance.n(6)]
			list = append(list, record(i, append(fmt.Appendf(nil, "<%d>", i), make([]byte, size)...)))
		}
		if left := redeliver(t, b, list, 500); len(left) != 0 {
			t.Fatalf("seed %d: %d records are left after 500 invocations", seed, len(left))
		}
		all := b.firehose.bytes()
		dead := make(map[string]bool)
		for _, letters := range b.failed.kept {
			for _, letter := range letters {
				dead[letter.ID] = true
			}
		}
		for i, r := range list {
			if mark := fmt.Sprintf("<%d>", i); !bytes.Contains(all, []byte(mark)) && !dead["shardId-000000000007:"+r.sequence] {
				t.Errorf("seed %d: record %d was lost", seed, i)
			}
		}
		for _, line := range packedLines(t, &b.log) {
			if line.Records < 1 {
				t.Errorf("seed %d: %+v", seed, line)
			}
		}
	}
}
