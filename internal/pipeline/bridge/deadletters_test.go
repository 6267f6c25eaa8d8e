package bridge_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// refuse returns a Firehose that leaves the entries that begin with a letter of
// left, and refuses as invalid those that begin with a letter of invalid.
func refuse(left, invalid string) func([]sink.Entry) sink.Result {
	return func(entries []sink.Entry) sink.Result {
		var result sink.Result
		for i, e := range entries {
			switch {
			case strings.IndexByte(left, e.Data[0]) >= 0:
				result.Left = append(result.Left, i)
				result.Refused = append(result.Refused, i)
				result.Err = errors.New("InternalFailure")
			case strings.IndexByte(invalid, e.Data[0]) >= 0:
				result.Invalid = append(result.Invalid, sink.Invalid{Index: i, Reason: "refused by the service"})
			}
		}
		return result
	}
}

// deadLetter is the dead letter of a record of the event.
func deadLetter(r sent, reason string) archive.DeadLetter {
	return archive.DeadLetter{
		Stream: "orders", Reason: reason, FailedAt: now, ReceivedAt: arrival,
		ID: "shardId-000000000007:" + r.sequence, PartitionKey: "019ab1c2-0000-7000-8000-000000000001", Body: r.body,
	}
}

func TestOnlyTheInvalidRecordOfAPackedRecordIsADeadLetter(t *testing.T) {
	t.Parallel()
	list := records("good 1", "good 2", "poison", "good 3")
	b := setup(t)
	b.firehose.refuse = func(entries []sink.Entry) sink.Result {
		var result sink.Result
		for i, e := range entries {
			if bytes.Contains(e.Data, []byte("poison")) {
				result.Invalid = append(result.Invalid, sink.Invalid{Index: i, Reason: "refused by the service"})
			}
		}
		return result
	}
	for range 2 { // A retry overwrites the object.
		if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" {
			t.Errorf("undelivered from %q on, want nothing", first)
		}
	}
	want := map[string][]archive.DeadLetter{
		"bridge/orders/shardId-000000000007-3": {deadLetter(list[2], "Firehose refused the record: refused by the service")},
	}
	if diff := cmp.Diff(want, b.failed.kept); diff != "" {
		t.Errorf("dead letters differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"good 1\n", "good 2\n", "good 3\n"}, texts(b.firehose.took[:3])); diff != "" {
		t.Errorf("Firehose records differ (-want +got):\n%s", diff)
	}
	wantSummary := bridge.Summary{Stream: "orders", Records: 3, Packed: 3, DeadLettered: 1, Settled: 4, Age: 10500 * time.Millisecond}
	if diff := cmp.Diff(wantSummary, b.summaries[0]); diff != "" {
		t.Errorf("summary differs (-want +got):\n%s", diff)
	}
	line := `"level":"ERROR","msg":"records_put_aside","stream":"orders","records":1,"key":"bridge/orders/shardId-000000000007-3","reason":"Firehose refused the record: refused by the service"`
	if n := strings.Count(b.log.String(), line); n != 2 {
		t.Errorf("%d lines with %s, want 2:\n%s", n, line, &b.log)
	}
	if n := len(packedLines(t, &b.log)); n != 6 {
		t.Errorf("%d lines of packed records, want one for each of 3 records, twice", n)
	}
	if strings.Contains(b.log.String(), "poison") {
		t.Error("the log contains a body")
	}
}

func TestSuccessiveInvalidRecordsAreOneObject(t *testing.T) {
	t.Parallel()
	list := append(records("a", "b", "c", "d"), record(4, bytes.Repeat([]byte{'e'}, stream.MaxFramedBytes)), record(5, []byte("f")))
	b := setup(t)
	b.firehose.refuse = func(entries []sink.Entry) sink.Result {
		if len(entries) > 2 { // the parts of one record each
			return refuse("", "abd")(entries)
		}
		return refuse("", "a")(entries) // the part of a, b, c and d
	}
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	const refused = "Firehose refused the record: refused by the service"
	want := map[string][]archive.DeadLetter{
		"bridge/orders/shardId-000000000007-1": {deadLetter(list[0], refused), deadLetter(list[1], refused)},
		"bridge/orders/shardId-000000000007-4": {deadLetter(list[3], refused), deadLetter(list[4], "over the limit of 1024000 bytes when framed")},
	}
	if diff := cmp.Diff(want, b.failed.kept, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("dead letters differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"f\n", "c\n"}, texts(b.firehose.took)); diff != "" {
		t.Errorf("Firehose records differ (-want +got):\n%s", diff)
	}
}

func TestBodiesOverTheLimitAreDeadLetters(t *testing.T) {
	t.Parallel()
	list := []sent{
		record(0, []byte("a")),
		record(1, bytes.Repeat([]byte{'b'}, stream.MaxFramedBytes)), // one byte over the limit with its newline
		record(2, append(bytes.Repeat([]byte{'c'}, stream.MaxFramedBytes-1), '\n')),
		record(3, bytes.Repeat([]byte{'d'}, 5<<20)),
		record(4, []byte("e")),
	}
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if want := [][]byte{[]byte("a\n"), list[2].body, []byte("e\n")}; !cmp.Equal(want, b.firehose.took, cmp.Comparer(bytes.Equal)) {
		t.Errorf("Firehose accepted records of %d bytes, want %d", lengths(b.firehose.took), lengths(want))
	}
	const reason = "over the limit of 1024000 bytes when framed"
	want := map[string][]archive.DeadLetter{
		"bridge/orders/shardId-000000000007-2": {deadLetter(list[1], reason)},
		"bridge/orders/shardId-000000000007-4": {deadLetter(list[3], reason)},
	}
	if diff := cmp.Diff(want, b.failed.kept, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("dead letters differ (-want +got):\n%.2000s", diff)
	}
}

func TestRecordsWhoseDeadLettersCannotBeWrittenAreUndelivered(t *testing.T) {
	t.Parallel()
	list := append(pairs(3), record(6, bytes.Repeat([]byte{'z'}, stream.MaxFramedBytes)))
	for name, tt := range map[string]struct {
		left, invalid string
		want          string
		puts          int
	}{
		"invalid":             {"", "cdef", "3", 1},
		"oversize alone":      {"", "", "7", 1},
		"left before invalid": {"a", "cd", "1", 0},
		"invalid before left": {"e", "cd", "3", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.failed.err = errors.New("access denied")
			b.firehose.refuse = refuse(tt.left, tt.invalid)
			if first := invoke(t, b.Handler, t.Context(), event(list)); first != tt.want {
				t.Errorf("undelivered from %q on, want %q", first, tt.want)
			}
			if len(b.failed.puts) != tt.puts {
				t.Errorf("%d tries to write dead letters, want %d", len(b.failed.puts), tt.puts)
			}
			if b.summaries[0].DeadLettered != 0 {
				t.Errorf("summary %+v, want no dead letters", b.summaries[0])
			}
			if strings.Contains(b.log.String(), bridge.LogDeadLetters) || strings.Count(b.log.String(), bridge.LogUndelivered) != 1 {
				t.Errorf("log, want one line of undelivered records:\n%s", &b.log)
			}
		})
	}
}

func TestNamesOfDeadLettersFitAKey(t *testing.T) {
	t.Parallel()
	for sequence, want := range map[string]string{
		"1":                      "shardId-000000000007-1",
		"../../x\x7f":            "shardId-000000000007-------x-",
		"ä":                      "shardId-000000000007--",
		strings.Repeat("9", 300): strings.Repeat("9", 180),
	} {
		b := setup(t)
		list := []sent{{"datasink.orders", sequence, bytes.Repeat([]byte{'z'}, stream.MaxFramedBytes)}}
		invoke(t, b.Handler, t.Context(), event(list))
		if diff := cmp.Diff([]string{"bridge/orders/" + want}, b.failed.puts); diff != "" {
			t.Errorf("sequence number %q: names of dead letters (-want +got):\n%s", sequence, diff)
		}
	}
}

// refuseCall returns a Firehose that refuses every call as invalid, whatever its
// entries: sink finds that each entry is refused alone.
func refuseCall(entries []sink.Entry) sink.Result {
	result := sink.Result{Err: errors.New("every entry was refused")}
	for i := range entries {
		result.Left = append(result.Left, i)
		result.Doubtful = append(result.Doubtful, sink.Invalid{Index: i, Reason: "refused by the service"})
	}
	return result
}

func TestRecordsOfADoubtfulCallWaitForAnHour(t *testing.T) {
	t.Parallel()
	list := records("a", "b", "c")
	for _, tt := range []struct {
		name  string
		now   time.Time
		first string
		dead  int
	}{
		{"younger than an hour", arrival.Add(time.Hour), "1", 0},
		{"older than an hour", arrival.Add(time.Hour + time.Second), "", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.now = tt.now
			b.firehose.refuse = refuseCall
			if first := invoke(t, b.Handler, t.Context(), event(list)); first != tt.first {
				t.Errorf("undelivered from %q on, want %q", first, tt.first)
			}
			if got := len(b.failed.kept["bridge/orders/shardId-000000000007-1"]); got != tt.dead {
				t.Errorf("%d dead letters, want %d", got, tt.dead)
			}
			if line := `"error":"every entry was refused"`; (tt.first != "") != strings.Contains(b.log.String(), line) {
				t.Errorf("log, want %s only if records are left:\n%s", line, &b.log)
			}
		})
	}
}

func TestGoodNeighboursOfADoubtfulPackedRecordArrive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.firehose.refuse = func(entries []sink.Entry) sink.Result {
		if len(entries) == 1 { // the packed record
			return refuseCall(entries)
		}
		return refuse("", "b")(entries)
	}
	if first := invoke(t, b.Handler, t.Context(), event(records("a", "b", "c"))); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if diff := cmp.Diff([]string{"a\n", "c\n"}, texts(b.firehose.took)); diff != "" {
		t.Errorf("Firehose records differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bridge/orders/shardId-000000000007-2"}, b.failed.puts); diff != "" {
		t.Errorf("dead letters differ (-want +got):\n%s", diff)
	}
}
