package main_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// giveUp writes an object of records that the drainer gave up, and returns its
// key.
func (d *dev) giveUp(t *testing.T, streamName, name string, bodies ...string) (key string) {
	t.Helper()
	var b strings.Builder
	for i, body := range bodies {
		fmt.Fprintf(&b, `{"stream":%q,"stage":"drainer","reason":"it was not valid","failedAt":"2026-11-22T23:05:00Z","id":"id-%d","body":%q}`+"\n",
			streamName, i, base64.StdEncoding.EncodeToString([]byte(body)))
	}
	key = "failed/drainer/" + streamName + "/dt=2026-11-22/hour=23/" + name + ".ndjson"
	path := filepath.Join(d.data, "archive", filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestFailedRecordsAreSentAgain(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	key := d.giveUp(t, "orders", "claim", "one", "two", "three")
	gone := d.giveUp(t, "gone", "claim", "of a stream that does not exist")

	if s := d.status(t, "orders"); s.DeadLetters != 3 {
		t.Errorf("status is %+v, want 3 dead letters", s)
	}
	if s := d.status(t, "gone"); !s.Orphan || s.DeadLetters != 1 {
		t.Errorf("status is %+v, want an orphan with a dead letter", s)
	}
	ls := d.operate(t, "", "failed", "ls").done(t)
	if !strings.Contains(ls, key) || !strings.Contains(ls, gone) || !strings.HasPrefix(ls, "WRITTEN") {
		t.Errorf("failed ls printed:\n%s", ls)
	}
	type object struct{ Key, Stage, Stream string }
	if got := decoded[[]object](t, d.operate(t, "", "failed", "ls", "--json", "--stream=orders")); !slices.Equal(got, []object{{key, "drainer", "orders"}}) {
		t.Errorf("failed ls --json printed %+v", got)
	}
	if got := decoded[[]object](t, d.operate(t, "", "failed", "ls", "--json", "--to="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))); len(got) != 0 {
		t.Errorf("failed ls of another time printed %+v", got)
	}
	show := d.operate(t, "", "failed", "show", key).done(t)
	if !strings.Contains(show, "it was not valid") || !strings.Contains(show, "body      three") || strings.Contains(show, "not exist") {
		t.Errorf("failed show printed:\n%s", show)
	}
	if n := strings.Count(d.operate(t, "", "failed", "show", "--json").done(t), `"reason":"it was not valid"`); n != 4 {
		t.Errorf("failed show --json printed %d records, want 4", n)
	}
	if r := d.operate(t, "", "failed", "show", "failed/drainer/absent"); r.code != 1 || !strings.Contains(r.err, "failed/drainer/absent") {
		t.Errorf("failed show of an absent key: exit code %d and %s", r.code, r.err)
	}

	if text := d.operate(t, "", "failed", "redrive", "--stream=orders", "--dry-run").done(t); !strings.Contains(text, "would send 3 records, 11 B, of 1 object") {
		t.Errorf("the dry run printed %q", text)
	}
	d.operate(t, "", "failed", "redrive", "--stream=orders").done(t)
	if text := d.operate(t, "", "failed", "redrive", "--stream=orders").done(t); !strings.Contains(text, "sent 0 records") {
		t.Errorf("the second time it printed %q", text)
	}
	if got := sorted(d.await(t, "orders", 3)); !slices.Equal(got, []string{"one", "three", "two"}) {
		t.Errorf("archived %q", got)
	}
	if r := d.operate(t, "", "failed", "redrive"); r.code != 1 || !strings.Contains(r.err, "404 unknown_stream") {
		t.Errorf("redrive to an unknown stream: exit code %d and %s", r.code, r.err)
	}
	d.operate(t, "", "failed", "redrive", "--into=orders", gone).done(t)
	d.await(t, "orders", 4)
	for _, verb := range []string{"ls", "show"} {
		r := d.operate(t, "", "failed", verb)
		if r.done(t); r.out != "" || !strings.HasSuffix(r.err, "datasink: no dead letters\n") {
			t.Errorf("failed %s without dead letters printed %q and %q", verb, r.out, r.err)
		}
	}
	if got := decoded[[]object](t, d.operate(t, "", "failed", "ls", "--json")); len(got) != 0 {
		t.Errorf("failed ls still lists %+v", got)
	}
	if all := d.operate(t, "", "failed", "ls", "--all").done(t); strings.Count(all, "3 records") != 1 || strings.Count(all, "1 record ") != 1 {
		t.Errorf("failed ls --all printed:\n%s", all)
	}
}

// giveUpBatch writes a batch that the mapping gave up, of records of the tap by
// their shard and sequence number.
func (d *dev) giveUpBatch(t *testing.T, records map[string]string) {
	t.Helper()
	var list []cloud.EventRecord
	for _, id := range slices.Sorted(maps.Keys(records)) {
		shard, sequence, _ := strings.Cut(id, ":")
		list = append(list, cloud.EventRecord{
			Stream: "datasink.orders", Shard: shard,
			Record: cloud.Record{SequenceNumber: sequence, ArrivedAt: time.Now().Add(-time.Minute), Data: []byte(records[id])},
		})
	}
	content := fmt.Sprintf(`{"requestContext":{"condition":"RecordAgeExceeded"},"timestamp":%q,"KinesisBatchInfo":{"streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/datasink.orders"},"payload":%q}`,
		time.Now().UTC().Format(time.RFC3339), cloud.KinesisEvent(list...))
	path := filepath.Join(d.data, "archive", "aws", "lambda", "mapping", "shard", "2026", "11", "22", "x")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRedrivePassesOverWhatTheLogShowsAsDelivered(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	d.operate(t, "delivered", "send", "orders").done(t)
	d.await(t, "orders", 1)
	tapped := decoded[struct{ Shard, Sequence string }](t, d.operate(t, "", "tail", "orders", "--since=1h", "--limit=1", "--json"))
	d.giveUpBatch(t, map[string]string{tapped.Shard + ":" + tapped.Sequence: "delivered", tapped.Shard + ":" + tapped.Sequence + "0": "not delivered"})
	if s := d.status(t, "orders"); s.DeadLetters != 2 {
		t.Errorf("status is %+v, want 2 dead letters", s)
	}
	text := d.operate(t, "", "failed", "redrive").done(t)
	if !strings.Contains(text, "sent 1 record") || !strings.Contains(text, "skipped 1: delivered all the same") {
		t.Errorf("redrive printed:\n%s", text)
	}
	if got := sorted(d.await(t, "orders", 2)); !slices.Equal(got, []string{"delivered", "not delivered"}) {
		t.Errorf("archived %q", got)
	}
}

func TestReplayPostsTheArchiveToAnotherStream(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	d.operate(t, lines(n), "send", "orders", "--ndjson").done(t)
	d.await(t, "orders", n)
	cache := t.TempDir()
	replay := func(args ...string) ran {
		c := command(t, append([]string{"replay", "--data=" + d.data, "--streams=" + streams, "--from=1h", "--to=now", "--state=" + filepath.Join(cache, "state")}, args...)...)
		return finish(t, c)
	}
	if r := replay("--stream=orders", "--into=orders"); r.code != 2 || !strings.Contains(r.err, "--force") {
		t.Errorf("replay into itself: exit code %d and %s", r.code, r.err)
	}
	if r := replay("--stream=orders", "--into=absent", "--state="+filepath.Join(t.TempDir(), "absent")); r.code != 1 || strings.Count(r.err, "404 unknown_stream") != 1 ||
		!strings.Contains(r.err, "the deployment has no stream absent that accepts records") {
		t.Errorf("replay into an unknown stream: exit code %d and %s", r.code, r.err)
	}
	if text := replay("--stream=orders", "--into=page-views", "--dry-run").done(t); !strings.Contains(text, "would replay") || !strings.Contains(text, "orders/dt=") {
		t.Errorf("the dry run printed %q", text)
	}
	if text := replay("--stream=orders", "--into=page-views").done(t); !strings.Contains(text, "replayed ") || strings.Contains(text, "replayed 0") {
		t.Errorf("replay printed %q", text)
	}
	if text := replay("--stream=orders", "--into=page-views").done(t); !strings.Contains(text, "replayed 0 records") || !strings.Contains(text, "--again") {
		t.Errorf("the second replay printed %q", text)
	}
	if got := sorted(d.await(t, "page-views", n)); !slices.Equal(got, sorted(lines(n))) {
		t.Errorf("%d lines were replayed, want those of orders", len(got))
	}
	// A colleague has another state.
	colleague := finish(t, command(t, "replay", "--data="+d.data, "--streams="+streams, "--from=1h", "--to=now", "--state="+filepath.Join(t.TempDir(), "state"), "--stream=orders", "--into=page-views"))
	if text := colleague.done(t); !strings.Contains(text, "replayed 0 records") {
		t.Errorf("a colleague's replay printed %q", text)
	}
	replay("--stream=orders", "--into=page-views", "--again").done(t)
	d.await(t, "page-views", 2*n)
	// Another pair of streams is another task.
	if r := replay("--stream=orders", "--into=dispatcher-decisions"); r.code != 1 || !strings.Contains(r.err, "another task") {
		t.Errorf("replay with a state of another: exit code %d and %s", r.code, r.err)
	}
	if r := replay("--stream=none", "--into=orders"); r.code != 2 || !strings.Contains(r.err, "--by") {
		t.Errorf("replay of an unknown stream: exit code %d and %s", r.code, r.err)
	}
}

func TestReplaySplitsARawStreamByMember(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	members := s3test.Gzip(t, "one\n") + s3test.Gzip(t, "two\n")
	d.operate(t, members, "send", "legacy-archives").done(t)
	waitFor(t, "the record", func() bool { return len(d.objects(t, "legacy-archives")) == 1 })
	args := []string{"replay", "--stream=legacy-archives", "--into=legacy-archives", "--force", "--from=1h", "--to=now", "--streams=" + streams, "--json"}
	type count struct{ Sent, Bytes int }
	if got := decoded[count](t, d.operate(t, "", args...)); got.Sent != 2 || got.Bytes != len(members) {
		t.Errorf("by member it sent %+v, want 2 records", got)
	}
	if got := decoded[count](t, d.operate(t, "", append(args, "--by=object", "--to=2026-01-01", "--from=2025-12-31")...)); got.Sent != 0 {
		t.Errorf("of a time without objects it sent %+v", got)
	}
}

// TestReplayKeepsBodiesOfSeveralLines replays indented JSON, which is several lines.
func TestReplayKeepsBodiesOfSeveralLines(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	const body = "{\n  \"order\": {\n    \"id\": 1\n  },\n  \"ok\": true\n}\n"
	for range 3 {
		d.operate(t, body, "send", "orders").done(t)
	}
	d.await(t, "orders", 3*strings.Count(body, "\n"))
	d.operate(t, "", "replay", "--stream=orders", "--into=page-views", "--from=1h", "--to=now", "--streams="+streams, "--state="+filepath.Join(t.TempDir(), "state")).done(t)
	if got := d.await(t, "page-views", 3*strings.Count(body, "\n")); got != strings.Repeat(body, 3) {
		t.Errorf("archived again:\n%s", got)
	}
}

// TestReplayDecompressesMembersForLines replays gzip members into a stream of
// format lines.
func TestReplayDecompressesMembersForLines(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	d.operate(t, s3test.Gzip(t, "one\n")+s3test.Gzip(t, "two\n"), "send", "legacy-archives").done(t)
	waitFor(t, "the record", func() bool { return len(d.objects(t, "legacy-archives")) == 1 })
	d.operate(t, "", "replay", "--stream=legacy-archives", "--into=page-views", "--from=1h", "--to=now", "--streams="+streams, "--state="+filepath.Join(t.TempDir(), "state")).done(t)
	if got := sorted(d.await(t, "page-views", 2)); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("archived %q, want two lines", got)
	}
}

// TestOneObjectThatFailsHidesNoOther has an object of dead letters that is malformed.
func TestOneObjectThatFailsHidesNoOther(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	bad := d.giveUp(t, "orders", "a")
	if err := os.WriteFile(filepath.Join(d.data, "archive", filepath.FromSlash(bad)), []byte("not JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.giveUp(t, "orders", "b", "good")
	r := d.operate(t, "", "failed", "redrive")
	if r.code != 1 || !strings.Contains(r.out, "sent 1 record") || !strings.Contains(r.err, bad) {
		t.Errorf("redrive: exit code %d, it printed %q and %q", r.code, r.out, r.err)
	}
	if got := d.await(t, "orders", 1); got != "good\n" {
		t.Errorf("archived %q", got)
	}
	if r := d.operate(t, "", "failed", "show"); r.code != 1 || !strings.Contains(r.err, "1 object failed") {
		t.Errorf("show: exit code %d, it printed %q", r.code, r.err)
	}
	d.operate(t, "", "failed", "discard", "--reason=a test", bad).done(t)
	if text := d.operate(t, "", "failed", "redrive").done(t); !strings.Contains(text, "sent 0 records") {
		t.Errorf("redrive printed %q", text)
	}
	if text := d.operate(t, "", "failed", "ls", "--all").done(t); !strings.Contains(text, "discarded") {
		t.Errorf("ls printed:\n%s", text)
	}
}
