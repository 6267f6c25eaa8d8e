package failed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/go-cmp/cmp"
)

func (b *bench) redrive(r *failed.Redriver) {
	b.t.Helper()
	for _, o := range b.list(failed.Filter{}) {
		if err := r.Redrive(b.t.Context(), o); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestRedriveSendsEveryRecordOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill()
	r := b.redriver(t)
	results := make(map[string]int)
	r.Done = func(record failed.Record, result failed.Result) { results[result.Skipped]++ }
	b.redrive(r)
	want := []string{
		"orders  from\nFirehose\n", "orders  from an envelope", "orders k from the drainer",
		"orders lk one of Lambda", "orders lk two of Lambda", "views p from the bridge",
	}
	if diff := cmp.Diff(want, b.taken()); diff != "" {
		t.Errorf("accepted bodies differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"": 6, failed.SkippedUndecodable: 1}, results); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
	for _, o := range b.list(failed.Filter{}) {
		want := failed.Marker{RedrivenAt: o.Marker.RedrivenAt, Records: map[string]int{"drainer": 2, "lambda": 2}[o.Stage]}
		if want.Records == 0 {
			want.Records = 1
		}
		if o.Stage == "drainer" {
			want.Left = []int{1} // the one that cannot be decoded
		}
		if diff := cmp.Diff(want, *o.Marker); diff != "" || o.Marker.RedrivenAt.IsZero() {
			t.Errorf("marker of %s differs (-want +got):\n%s", o.Key, diff)
		}
	}
	// Somebody else, later, without this state.
	b.redrive(b.redriver(t))
	if again := b.taken(); len(again) > 0 {
		t.Errorf("sent again: %q", again)
	}
	all := b.redriver(t)
	all.Again, all.Into = true, "other"
	b.redrive(all)
	if again := b.taken(); len(again) != 6 || !strings.HasPrefix(again[0], "other ") {
		t.Errorf("with Again sent %q", again)
	}
}

func TestRedriveLeavesWhatIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var records []archive.DeadLetter
	for i := range 20 {
		records = append(records, archive.DeadLetter{Reason: "x", FailedAt: at, Body: fmt.Append(nil, i)})
	}
	b.aside(archive.StageDrainer, "orders", "claim", records...)
	b.refuse = func(body string) int {
		if body == "3" || body == "17" {
			return http.StatusRequestEntityTooLarge
		}
		return 0
	}
	b.redrive(b.redriver(t))
	if n := len(b.taken()); n != 18 {
		t.Errorf("accepted %d, want 18", n)
	}
	if m := b.list(failed.Filter{})[0].Marker; m == nil || m.Records != 18 || !slices.Equal(m.Left, []int{3, 17}) {
		t.Errorf("marker is %+v", m)
	}
	b.refuse = nil
	b.redrive(b.redriver(t))
	if diff := cmp.Diff([]string{"orders  17", "orders  3"}, b.taken()); diff != "" {
		t.Errorf("the second time differs (-want +got):\n%s", diff)
	}
	if m := b.list(failed.Filter{})[0].Marker; m.Records != 20 || m.Left != nil {
		t.Errorf("marker is %+v", m)
	}
}

func TestRedriveGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var records []archive.DeadLetter
	for i := range 100 {
		records = append(records, archive.DeadLetter{Reason: "x", FailedAt: at, Body: fmt.Append(nil, i)})
	}
	b.aside(archive.StageBridge, "orders", "claim", records...)
	r := b.redriver(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r.Done = func(failed.Record, failed.Result) {
		if n++; n == 40 {
			cancel()
		}
	}
	o := b.list(failed.Filter{})[0]
	if err := r.Redrive(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("Redrive = %v, want the interrupt", err)
	}
	first := b.taken()
	if b.list(failed.Filter{})[0].Marker != nil || len(first) == 100 {
		t.Fatalf("interrupted after %d records, with a marker", len(first))
	}
	r.Done = nil
	if err := r.Redrive(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if all := slices.Compact(slices.Sorted(slices.Values(append(first, b.taken()...)))); len(all) != 100 {
		t.Errorf("%d records arrived, want 100", len(all))
	}
	if n := len(first); n < 40 || n > 48 {
		t.Errorf("%d were sent before the interrupt", n)
	}
}

// TestAMarkerNamesItsTarget redrives into a stream for tests, and then for good.
func TestAMarkerNamesItsTarget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.aside(archive.StageBridge, "orders", "claim", archive.DeadLetter{Reason: "x", FailedAt: at, Body: []byte("one")})
	into := func(stream string) []string {
		r := b.redriver(t)
		r.Into = stream
		b.redrive(r)
		return b.taken()
	}
	if diff := cmp.Diff([]string{"orders-test  one"}, into("orders-test")); diff != "" {
		t.Errorf("accepted bodies differ (-want +got):\n%s", diff)
	}
	if m := b.list(failed.Filter{})[0].Marker; m.Into != "orders-test" {
		t.Errorf("marker is %+v, want one that names orders-test", m)
	}
	if again := into("orders-test"); len(again) != 0 {
		t.Errorf("sent into orders-test again: %q", again)
	}
	if diff := cmp.Diff([]string{"orders  one"}, into("")); diff != "" {
		t.Errorf("accepted bodies differ (-want +got):\n%s", diff)
	}
	if again := into(""); len(again) != 0 {
		t.Errorf("sent into orders again: %q", again)
	}
}

// TestAgainGoesOnWhereItWasInterrupted interrupts a redrive with Again, and
// repeats it with the same state.
func TestAgainGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, n := range map[string]int{"a": 3, "b": 50} {
		var records []archive.DeadLetter
		for i := range n {
			records = append(records, archive.DeadLetter{Reason: "x", FailedAt: at, Body: fmt.Append(nil, name, i)})
		}
		b.aside(archive.StageBridge, "orders", name, records...)
	}
	b.redrive(b.redriver(t))
	b.taken()
	r := b.redriver(t)
	r.Again, r.Concurrency = true, 1
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r.Done = func(failed.Record, failed.Result) {
		if n++; n == 20 {
			cancel()
		}
	}
	var interrupted error
	for _, o := range b.list(failed.Filter{}) {
		interrupted = errors.Join(interrupted, r.Redrive(ctx, o))
	}
	if !errors.Is(interrupted, context.Canceled) {
		t.Fatalf("Redrive = %v, want the interrupt", interrupted)
	}
	first := b.taken()
	r.Done = nil
	b.redrive(r)
	all := append(first, b.taken()...)
	if len(all) != 53 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 53 {
		t.Errorf("%d records were sent in two parts, want 53 different ones", len(all))
	}
}

// TestListContinuesBehindAnObjectThatFails has a broken marker among three objects.
func TestListContinuesBehindAnObjectThatFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"a", "b", "c"} {
		b.aside(archive.StageBridge, "orders", name, archive.DeadLetter{Reason: "x", FailedAt: at, Body: []byte(name)})
	}
	b.put(b.list(failed.Filter{})[1].Key+failed.MarkerSuffix, "not JSON")
	var listed, failing []string
	for o, err := range failed.List(t.Context(), b.bucket, failed.Filter{}) {
		if err != nil {
			failing = append(failing, o.Key[len(o.Key)-len("b.ndjson"):])
			continue
		}
		listed = append(listed, o.Key[len(o.Key)-len("a.ndjson"):])
	}
	if diff := cmp.Diff([]string{"b.ndjson"}, failing); diff != "" {
		t.Errorf("failing objects differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.ndjson", "c.ndjson"}, listed); diff != "" {
		t.Errorf("objects differ (-want +got):\n%s", diff)
	}
}

func TestRedrivePassesOverWhatWasDelivered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("aws/lambda/m-1/shardId-0/2026/11/22/x", lambdaObject(t, "orders", "one", "two"))
	r := b.redriver(t)
	r.Delivered = func(_ context.Context, _ failed.Object, record failed.Record) (bool, error) {
		return record.ID == "shardId-0:100", nil
	}
	r.DryRun = true
	var would []string
	r.Done = func(record failed.Record, result failed.Result) {
		would = append(would, string(record.Body)+" "+result.Skipped)
	}
	b.redrive(r)
	if diff := cmp.Diff([]string{"one " + failed.SkippedDelivered, "two "}, would); diff != "" || len(b.taken()) > 0 {
		t.Errorf("the dry run differs, or sent something (-want +got):\n%s", diff)
	}
	r.DryRun, r.Done = false, nil
	b.redrive(r)
	if diff := cmp.Diff([]string{"orders lk two"}, b.taken()); diff != "" {
		t.Errorf("accepted bodies differ (-want +got):\n%s", diff)
	}
}

func TestRedriveStopsAtWrongCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill()
	b.refuse = func(string) int { return http.StatusUnauthorized }
	var refusal *post.Refusal
	o := b.list(failed.Filter{})[0]
	if err := b.redriver(t).Redrive(t.Context(), o); !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized {
		t.Errorf("Redrive = %v, want 401", err)
	}
	if b.list(failed.Filter{})[0].Marker != nil {
		t.Error("the object has a marker")
	}
}

// A marker must not lie where it looks like a new dead letter. A marker that an older
// version wrote beside its object holds until a new one replaces it.
func TestMarkersAreOutsideOfTheFoldersOfDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill()
	keys := func(prefix string) (keys []string) {
		t.Helper()
		for o, err := range b.bucket.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, o.Key)
		}
		return keys
	}
	before := append(keys("aws/"), keys("failed/")...)
	b.redrive(b.redriver(t))
	if diff := cmp.Diff(before, append(keys("aws/"), keys("failed/")...)); diff != "" {
		t.Errorf("objects in the folders of dead letters differ (-want +got):\n%s", diff)
	}
	var want []string
	for _, o := range b.list(failed.Filter{}) {
		want = append(want, "_redriven/"+o.Key)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, keys("_redriven/")); diff != "" {
		t.Errorf("markers differ (-want +got):\n%s", diff)
	}

	old := newBench(t)
	const key = "aws/lambda/m-1/shardId-0/2026/11/22/x"
	old.put(key, lambdaObject(t, "orders", "one", "two"))
	old.put(key+failed.MarkerSuffix, `{"redrivenAt":"2026-11-22T23:00:00Z","records":1,"left":[1]}`)
	old.redrive(old.redriver(t))
	if diff := cmp.Diff([]string{"orders lk two"}, old.taken()); diff != "" {
		t.Errorf("accepted bodies with a marker of an older version differ (-want +got):\n%s", diff)
	}
	if m := old.list(failed.Filter{})[0].Marker; !m.IsDone() || m.RedrivenAt.Before(at) {
		t.Errorf("marker is %+v, want the new one", m)
	}
}
