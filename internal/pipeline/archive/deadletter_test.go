package archive_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var failedAt = time.Date(2026, 11, 23, 4, 5, 6, 789, time.UTC)

var deadLetters = []archive.DeadLetter{
	{
		Stream: "orders", Reason: "Kinesis refused the record: <bad> & worse", FailedAt: failedAt, ReceivedAt: receivedAt,
		ID: "019ab1c2-0000-7000-8000-000000000001", PartitionKey: "kündin 7", Body: []byte("{\"order\":17}\n"),
	},
	{Reason: "empty body", FailedAt: failedAt, Body: []byte{}},
	{Reason: "decoding envelope of 3 bytes: array: MessagePack code 0xff, want an array", FailedAt: failedAt, Envelope: []byte{0xff, 0, '\n'}},
}

func TestPutDeadLettersGolden(t *testing.T) {
	t.Parallel()
	var objects store
	key, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), archive.StageDrainer, "orders", "claim-1", deadLetters)
	if err != nil {
		t.Fatal(err)
	}
	if want := "failed/drainer/orders/dt=2026-11-22/hour=23/claim-1.ndjson"; key != want {
		t.Errorf("key = %q, want %q", key, want)
	}
	golden := "testdata/deadletters.ndjson"
	if *update {
		if err := os.WriteFile(golden, objects.objects[key], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(objects.objects[key])); diff != "" {
		t.Errorf("the form of failed/ has changed (-want +got):\n%s", diff)
	}
}

func TestReadDeadLettersReturnsWhatWasPut(t *testing.T) {
	t.Parallel()
	var objects store
	key, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), archive.StageDrainer, "orders", "claim-1", deadLetters)
	if err != nil {
		t.Fatal(err)
	}
	var want []archive.DeadLetter
	for _, a := range deadLetters {
		a.Stage, a.Stream = archive.StageDrainer, "orders"
		want = append(want, a)
	}
	if diff := cmp.Diff(want, readDeadLetters(t, objects.objects[key])); diff != "" {
		t.Errorf("records differ (-put +read):\n%s", diff)
	}
}

func TestDeadLetterOfAnyBytesSurvives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var objects store
		put := archive.DeadLetter{
			Stage: archive.StageBridge, Stream: rapid.String().Draw(t, "stream"), Reason: "r" + rapid.String().Draw(t, "reason"),
			FailedAt: failedAt, ID: rapid.String().Draw(t, "id"), PartitionKey: rapid.String().Draw(t, "key"),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		key, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), put.Stage, put.Stream, "n", []archive.DeadLetter{put})
		if err != nil {
			t.Fatal(err)
		}
		var read archive.DeadLetter
		if err := archive.ReadDeadLetters(bytes.NewReader(objects.objects[key]), func(a archive.DeadLetter) error { read = a; return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(put, read); diff != "" {
			t.Fatalf("record differs (-put +read):\n%s", diff)
		}
	})
}

func TestDeadLetterIsFiledByTheFirstKnownHour(t *testing.T) {
	t.Parallel()
	hour := func(h int) time.Time { return time.Date(2026, 1, 2, h, 0, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		records []archive.DeadLetter
		want    string
	}{
		"received":        {[]archive.DeadLetter{{FailedAt: hour(9)}, {FailedAt: hour(9), ReceivedAt: hour(5)}, {FailedAt: hour(9), ReceivedAt: hour(4)}}, "hour=04"},
		"failed":          {[]archive.DeadLetter{{FailedAt: hour(9)}, {FailedAt: hour(8)}}, "hour=08"},
		"impossible time": {[]archive.DeadLetter{{FailedAt: hour(9), ReceivedAt: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)}}, "hour=09"},
		"before all time": {[]archive.DeadLetter{{FailedAt: hour(9), ReceivedAt: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}}, "hour=09"},
	} {
		var objects store
		for i := range tt.records {
			tt.records[i].Reason = "r"
		}
		key, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), archive.StageBridge, "orders", "n", tt.records)
		if want := "failed/bridge/orders/dt=2026-01-02/" + tt.want + "/n.ndjson"; err != nil || key != want {
			t.Errorf("%s: PutDeadLetters = %q, %v, want %q", name, key, err, want)
		}
	}
}

func TestHostileStreamNamesStayInTheirFolder(t *testing.T) {
	t.Parallel()
	names := []string{
		"", ".", "..", "../..", "a/b", "a//b", "/", "a\\b", "a\x00b", "a\nb", "%2e%2e%2f", "..%2f", "Orders", "ORDERS", "orders", "or_ders", "_6f", "o", "_", "_-",
		"ｏrders", "a b", "a?b", "a#b", "\xff\xfe", "dt=2026-01-01", "failed", "aws", "CON", "a.", strings.Repeat("a", 1000), strings.Repeat("a", 1001),
		strings.Repeat("/", 1000), strings.Repeat("a", 120), strings.Repeat("a", 121),
	}
	seen := make(map[string]string)
	for _, name := range names {
		var objects store
		key, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), archive.StageDrainer, name, "n", []archive.DeadLetter{{Reason: "r", FailedAt: failedAt}})
		if err != nil {
			t.Errorf("PutDeadLetters for stream %q: %v", name, err)
			continue
		}
		parts := strings.Split(key, "/")
		if len(parts) != 6 || !strings.HasPrefix(key, "failed/drainer/") {
			t.Errorf("stream %q: key %q, want six components under failed/drainer/", name, key)
			continue
		}
		if path.Clean(key) != key {
			t.Errorf("stream %q: key %q is not a plain path", name, key)
		}
		if len(key) > 1024 {
			t.Errorf("stream %q: key of %d bytes, want at most 1,024", name, len(key))
		}
		if plain := strings.Trim(parts[2], "abcdefghijklmnopqrstuvwxyz0123456789-_"); plain != "" || len(parts[2]) > 255 {
			t.Errorf("stream %q: folder %q has %q in it", name, parts[2], plain)
		}
		if other, taken := seen[strings.ToLower(parts[2])]; taken {
			t.Errorf("streams %q and %q share the folder %q", name, other, parts[2])
		}
		seen[strings.ToLower(parts[2])] = name
		if !strings.HasPrefix(key, archive.DeadLetterPrefix(archive.StageDrainer, name)) {
			t.Errorf("stream %q: key %q does not begin with DeadLetterPrefix", name, key)
		}
	}
	if got, want := archive.DeadLetterPrefix(archive.StageDrainer, "page-views2"), "failed/drainer/page-views2/"; got != want {
		t.Errorf("DeadLetterPrefix of an ordinary name = %q, want %q", got, want)
	}
}

func TestPutDeadLettersRefuses(t *testing.T) {
	t.Parallel()
	good := archive.DeadLetter{Reason: "r", FailedAt: failedAt}
	for name, tt := range map[string]struct {
		stage, name string
		record      archive.DeadLetter
	}{
		"stage":             {"a/b", "n", good},
		"name with slash":   {archive.StageBridge, "../n", good},
		"dots":              {archive.StageBridge, "..", good},
		"no name":           {archive.StageBridge, "", good},
		"long name":         {archive.StageBridge, strings.Repeat("n", 201), good},
		"no time":           {archive.StageBridge, "n", archive.DeadLetter{Reason: "r"}},
		"no reason":         {archive.StageBridge, "n", archive.DeadLetter{FailedAt: failedAt}},
		"body and envelope": {archive.StageBridge, "n", archive.DeadLetter{Reason: "r", FailedAt: failedAt, Body: []byte("b"), Envelope: []byte("e")}},
	} {
		var objects store
		if _, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), tt.stage, "orders", tt.name, []archive.DeadLetter{tt.record}); err == nil || len(objects.objects) > 0 {
			t.Errorf("%s: PutDeadLetters = %v, want an error and no object", name, err)
		}
	}
	if _, err := archive.New(&store{}, "datasink").PutDeadLetters(t.Context(), archive.StageBridge, "orders", "n", nil); err == nil {
		t.Error("PutDeadLetters of no records: no error")
	}
}

func TestReadDeadLettersRefuses(t *testing.T) {
	t.Parallel()
	good := `{"stream":"a","stage":"bridge","reason":"r","failedAt":"2026-11-23T04:05:06Z","body":""}`
	for _, tt := range []struct{ object, want string }{
		{good + "\n\n", "line 2: not a dead letter"},
		{good + "\n{", "line 2: not a dead letter"},
		{good + good, "line 1: data after the JSON object"},
		{"[]", "line 1: not a dead letter"},
		{"null", "line 1: stage: missing"},
		{strings.Replace(good, `"reason":"r",`, "", 1), "line 1: reason: missing"},
		{strings.Replace(good, `"failedAt":"2026-11-23T04:05:06Z",`, "", 1), "line 1: failedAt: missing"},
		{strings.Replace(good, `"2026-11-23T04:05:06Z"`, `"yesterday"`, 1), "line 1: not a dead letter"},
		{strings.Replace(good, `,"body":""`, "", 1), "line 1: body and envelope: both missing"},
		{strings.Replace(good, `"body":""`, `"body":null`, 1), "line 1: body and envelope: both missing"},
		{strings.Replace(good, `"body":""`, `"body":"","envelope":""`, 1), "line 1: body and envelope"},
		{strings.Replace(good, `"body":""`, `"body":"*"`, 1), "line 1: not a dead letter"},
		{strings.Replace(good, `"body":""`, `"body":"","key":"k"`, 1), "line 1: not a dead letter"},
		{`{"body":"` + strings.Repeat("A", 64<<20) + `"}`, "line 1: bufio.Scanner: token too long"},
	} {
		err := archive.ReadDeadLetters(strings.NewReader(tt.object), func(archive.DeadLetter) error { return nil })
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("ReadDeadLetters(%.200s) = %v, want %s", tt.object, err, tt.want)
		}
	}
}

func TestReadDeadLettersStopsWithTheCaller(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/deadletters.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	calls := 0
	err = archive.ReadDeadLetters(bytes.NewReader(b), func(archive.DeadLetter) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("ReadDeadLetters = %v after %d calls, want the caller's error after 1", err, calls)
	}
}

func FuzzReadDeadLetters(f *testing.F) {
	b, err := os.ReadFile("testdata/deadletters.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"stream":"","stage":"bridge","reason":"r","failedAt":"9999-12-31T23:59:59-12:00","body":""}`))
	f.Add([]byte(`{"stream":"","stage":"bridge","reason":"r","failedAt":"0001-01-01T00:00:01Z","receivedAt":"9999-12-31T23:59:59-12:00","body":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var read []archive.DeadLetter
		if err := archive.ReadDeadLetters(bytes.NewReader(b), func(a archive.DeadLetter) error { read = append(read, a); return nil }); err != nil || len(read) == 0 {
			return
		}
		// A dead letter can be written again, because a redrive can fail too.
		for _, a := range read {
			var objects store
			if _, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), archive.StageBridge, a.Stream, "n", []archive.DeadLetter{a}); err != nil {
				t.Errorf("writing the dead letter again: %v", err)
			}
		}
	})
}

func readDeadLetters(tb testing.TB, object []byte) []archive.DeadLetter {
	tb.Helper()
	var records []archive.DeadLetter
	err := archive.ReadDeadLetters(bytes.NewReader(object), func(a archive.DeadLetter) error {
		records = append(records, a)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return records
}
