package verify_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

// threeObjects is a world with three objects of two packed records each.
func threeObjects(t *testing.T) (w *world, keys []string) {
	w = newWorld(t)
	for n := range 3 {
		w.bridged("one of "+string(rune('a'+n)), "two")
		w.bridged("three of " + string(rune('a'+n)))
		keys = append(keys, w.deliver(n))
	}
	return w, keys
}

func TestReceivedEqualsStored(t *testing.T) {
	t.Parallel()
	w, _ := threeObjects(t)
	c := w.config()
	c.Queue = &queue.State{Accepted: 12, Depth: 1, ClaimedRecords: 1, Forwarded: 9, DeadLettered: 1, Exact: true}
	c.Tap = w.readTap
	r := run(t, c)
	want := &verify.Report{
		Stream: "orders", From: c.From, To: c.To, Queue: &verify.Queue{Accepted: 12, Queued: 1, Claimed: 1, Forwarded: 9, DeadLettered: 1},
		Tap: &verify.Count{Records: 9, Bytes: 63}, Bridged: verify.Count{Records: 9, Bytes: 72, Packed: 6}, Archived: verify.Count{Records: 9, Bytes: 72, Packed: 6},
		Read: verify.Count{Records: 9, Bytes: 72, Packed: 6, Objects: 3}, Direct: map[archive.Reason]verify.Count{}, Findings: []verify.Finding{},
	}
	if diff := cmp.Diff(want, r); diff != "" || !r.Equal() {
		t.Errorf("report differs (-want +got):\n%s", diff)
	}
}

func TestCountersThatBeganInTheWindowAreNoted(t *testing.T) {
	t.Parallel()
	w, _ := threeObjects(t) // of nine records
	c := w.config()
	for accepted, want := range map[int64]bool{8: true, 9: false} {
		c.Queue = &queue.State{Accepted: accepted, Forwarded: accepted, Exact: true}
		if r := run(t, c); r.Queue.Reset != want || !r.Equal() {
			t.Errorf("%d records accepted: the counters began anew is %v, findings %v", accepted, r.Queue.Reset, r.Findings)
		}
	}
}

// TestFaultsOfTheArchiveAreFound holds that each fault is found, with its place.
func TestFaultsOfTheArchiveAreFound(t *testing.T) {
	t.Parallel()
	// An object is "one of b\ntwo\n" and "three of b\n": 13 and 11 bytes.
	const content = "one of b\ntwo\nthree of b\n"
	for _, tt := range []struct {
		name  string
		fault func(w *world, keys []string)
		want  []verify.Finding
	}{
		{"a deleted object", func(w *world, keys []string) { w.remove(keys[1]) }, []verify.Finding{
			{Kind: verify.Missing, Hop: "archive", Bytes: 24, Records: 3, Packed: 2, FirstSequence: "1003", LastSequence: "1005"},
		}},
		{"a changed byte", func(w *world, keys []string) { w.write(keys[1], []byte(strings.Replace(content, "two", "twO", 1))) }, []verify.Finding{
			{Kind: verify.Changed, Hop: "archive", Object: "1", Offset: 0, Bytes: 13, Records: 2, Packed: 1, FirstSequence: "1003", LastSequence: "1004"},
		}},
		{"a changed last byte", func(w *world, keys []string) { w.write(keys[1], []byte(strings.TrimSuffix(content, "\n")+"\r")) }, []verify.Finding{
			{Kind: verify.Changed, Hop: "archive", Object: "1", Offset: 13, Bytes: 11, Records: 1, Packed: 1, FirstSequence: "1005", LastSequence: "1005"},
		}},
		{"an object delivered twice", func(w *world, _ []string) { w.write(key(base, 7), []byte(content)) }, []verify.Finding{
			{Kind: verify.Twice, Hop: "archive", Object: "7", Bytes: 24, Records: 3, Packed: 2, FirstSequence: "1003", LastSequence: "1005"},
		}},
		{"a record delivered twice", func(w *world, keys []string) { w.write(keys[1], []byte(content+"three of b\n")) }, []verify.Finding{
			{Kind: verify.Twice, Hop: "archive", Object: "1", Offset: 24, Bytes: 11, Records: 1, Packed: 1, FirstSequence: "1005", LastSequence: "1005"},
		}},
		{"a truncated object", func(w *world, keys []string) { w.write(keys[1], []byte(content[:20])) }, []verify.Finding{
			{Kind: verify.Unknown, Hop: "archive", Object: "1", Offset: 13, Bytes: 7},
			{Kind: verify.Missing, Hop: "archive", Bytes: 11, Records: 1, Packed: 1, FirstSequence: "1005", LastSequence: "1005"},
		}},
		{"an empty object", func(w *world, keys []string) { w.write(keys[1], nil) }, []verify.Finding{
			{Kind: verify.Missing, Hop: "archive", Bytes: 24, Records: 3, Packed: 2, FirstSequence: "1003", LastSequence: "1005"},
		}},
		{"bytes that nobody sent", func(w *world, keys []string) {
			w.write(keys[1], []byte(strings.Replace(content, "three", "stray\nthree", 1)))
		}, []verify.Finding{
			{Kind: verify.Unknown, Hop: "archive", Object: "1", Offset: 13, Bytes: 6},
		}},
		{"broken compression", func(w *world, keys []string) {
			w.put(keys[1], []byte("\x1f\x8b\x08 this is no gzip"))
		}, []verify.Finding{
			{Kind: verify.Unreadable, Hop: "archive", Object: "1"},
			{Kind: verify.Missing, Hop: "archive", Bytes: 24, Records: 3, Packed: 2, FirstSequence: "1003", LastSequence: "1005"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, keys := threeObjects(t)
			tt.fault(w, keys)
			r := run(t, w.config())
			for i := range tt.want {
				if n := tt.want[i].Object; n != "" {
					tt.want[i].Object = key(base, int(n[0]-'0'))
				}
			}
			got := append([]verify.Finding{}, r.Findings...)
			for i := range got {
				if text := got[i].String(); !strings.Contains(text, got[i].Object) || got[i].Detail == "" {
					t.Errorf("finding reads %q", text)
				}
				got[i].Detail, got[i].LoggedAt = "", time.Time{}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || r.Equal() {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAChangedByteOfAStoredObjectIsFound(t *testing.T) {
	t.Parallel()
	w, keys := threeObjects(t)
	w.bridged(strings.Repeat("a long body that takes more than a few bytes. ", 20))
	keys = append(keys, w.deliver(3))
	stored := w.stored(keys[3])
	for at := range stored {
		damaged := bytes.Clone(stored)
		damaged[at] ^= 0x10
		w.put(keys[3], damaged)
		// A few bits of a gzip file mean nothing: the time in its header, say.
		if r := run(t, w.config()); r.Equal() != bytes.Equal(unzipped(damaged), unzipped(stored)) {
			t.Fatalf("byte %d changed: equal is %v, findings %v", at, r.Equal(), r.Findings)
		}
	}
}

func TestYoungRecordsAreInFlight(t *testing.T) {
	t.Parallel()
	w, _ := threeObjects(t)
	w.bridged("not written yet")
	c := w.config()
	c.Now = func() time.Time { return w.now.Add(c.Settle - 1) }
	if r := run(t, c); !r.Equal() || r.InFlight != (verify.Count{Records: 1, Bytes: 16, Packed: 1}) || r.Archived.Records != 9 {
		t.Errorf("findings %v, in flight %+v, archived %+v", r.Findings, r.InFlight, r.Archived)
	}
	c.Now = func() time.Time { return w.now.Add(c.Settle) }
	if r := run(t, c); r.Equal() || r.InFlight.Records != 0 {
		t.Errorf("findings %v, in flight %+v, want it missing by now", r.Findings, r.InFlight)
	}
}

func TestAFreshObjectMayBeAheadOfTheLog(t *testing.T) {
	t.Parallel()
	w, _ := threeObjects(t)
	w.write(key(base, 5), []byte("the log comes later\n"))
	c := w.config()
	c.Now = time.Now
	if r := run(t, c); !r.Equal() || r.Unsettled != 20 {
		t.Errorf("findings %v, unsettled %d", r.Findings, r.Unsettled)
	}
}

func TestWhatTheBridgeSentTwiceIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bridged("a", "b")
	w.batch(0, "a", "b") // the same batch once more, logged both times
	w.deliver(0)
	r := run(t, w.config())
	if len(r.Findings) != 1 || r.Findings[0].Kind != verify.Twice || r.Findings[0].Hop != verify.HopBridge || r.Findings[0].Records != 2 {
		t.Errorf("findings %+v, want one of the bridge", r.Findings)
	}
	if r.Archived.Records != 4 {
		t.Errorf("archived %+v, want both", r.Archived)
	}
}

func TestWithoutItsLogAnObjectIsNoDifference(t *testing.T) {
	t.Parallel()
	w, _ := threeObjects(t)
	w.log.Reset()
	if _, err := verify.Run(t.Context(), w.config()); !errors.Is(err, verify.ErrNoLog) {
		t.Errorf("Run = %v, want ErrNoLog", err)
	}
}

func TestObjectsOfTheHourBeforeTakeTheirLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = base.Add(-10 * time.Second)
	w.bridged("before") // logged before the window
	w.now = base.Add(time.Second)
	w.bridged("in the window, in an object of the hour before")
	content := bytes.Join(w.packed, nil)
	w.packed = nil
	w.write(key(base.Add(-time.Hour), 0), content)
	w.now = base.Add(time.Hour - 2*time.Second)
	w.bridged("at the window's end")
	w.now = base.Add(time.Hour + 10*time.Second)
	w.bridged("after the window, in an object that began in it")
	w.deliver(0)
	w.now = base.Add(time.Hour + time.Minute)
	w.bridged("of the next hour, and not looked for")
	r := run(t, w.config())
	if !r.Equal() || r.Bridged.Records != 2 || r.Archived.Records != 2 || r.Read.Objects != 1 {
		t.Errorf("findings %v, bridged %+v, archived %+v, read %+v", r.Findings, r.Bridged, r.Archived, r.Read)
	}
}

func TestARecordOfTheEdgeMayBeInTheNextHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = base.Add(time.Hour - time.Second - 20*time.Millisecond)
	w.bridged("logged 20 ms before the hour, of Firehose's next")
	w.now = base.Add(time.Hour + time.Second)
	w.bridged("of the next hour")
	content := bytes.Join(w.packed, nil)
	w.write(key(base.Add(time.Hour), 0), content)
	c := w.config()
	r := run(t, c)
	if !r.Equal() || r.Bridged.Records != 1 || r.Archived.Records != 1 || r.Read.Objects != 0 {
		t.Errorf("findings %v, bridged %+v, archived %+v, read %+v", r.Findings, r.Bridged, r.Archived, r.Read)
	}
	w.remove(key(base.Add(time.Hour), 0))
	if r := run(t, c); r.Equal() || r.Findings[0].Kind != verify.Missing {
		t.Errorf("findings %v without the object, want it missing", r.Findings)
	}
}

func TestObjectsWrittenStraightAreListed(t *testing.T) {
	t.Parallel()
	w, _ := threeObjects(t)
	folder := "orders/dt=2026-11-22/hour=23/"
	w.write(folder+"oversize-a.gz", []byte("large\n"))
	w.write(folder+"fallback-b.gz", []byte("x\n"))
	w.write(folder+"fallback-c.gz", []byte("y\n"))
	w.put(folder+"overflow-d.gz", []byte("\x1f\x8b\x08 broken"))
	r := run(t, w.config())
	want := map[archive.Reason]verify.Count{
		archive.Oversize: {Records: 1, Objects: 1, Bytes: 6}, archive.Fallback: {Records: 2, Objects: 2, Bytes: 4}, archive.Overflow: {Records: 1, Objects: 1},
	}
	if diff := cmp.Diff(want, r.Direct); diff != "" {
		t.Errorf("direct objects differ (-want +got):\n%s", diff)
	}
	if len(r.DirectObjects) != 4 || len(r.Findings) != 1 || r.Findings[0].Kind != verify.Unreadable || r.Findings[0].Object != folder+"overflow-d.gz" {
		t.Errorf("listed %v with %v", r.DirectObjects, r.Findings)
	}
}

// heartbeats makes a world in which one body arrives each minute of two hours and
// gets an object each time, and returns the keys of the objects.
func heartbeats(t *testing.T) (w *world, keys []string) {
	w = newWorld(t)
	for i := range 120 {
		w.now = base.Add(time.Duration(i)*time.Minute + 30*time.Second)
		began := w.now
		w.bridged(`{"status":"ok"}`)
		w.clock = w.now.Add(20 * time.Second)
		k := began.Format("orders/dt=2006-01-02/hour=15/d.orders-1-2006-01-02-15-04-05-") + fmt.Sprintf("00000000-0000-4000-8000-%012d.gz", i)
		w.write(k, w.packed[0])
		w.packed = nil
		keys = append(keys, k)
	}
	w.clock = base.Add(20 * time.Hour)
	return w, keys
}

func TestDamageToBodiesThatRepeatIsFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		damage func(w *world, keys []string)
		want   []string
	}{
		{"none", func(*world, []string) {}, nil},
		{"deleted objects", func(w *world, keys []string) {
			w.remove(keys[20])
			w.remove(keys[21])
		}, []string{"missing 2"}},
		{"a copied object", func(w *world, keys []string) {
			w.put(strings.Replace(keys[20], "8000", "9000", 1), w.stored(keys[20]))
		}, []string{"twice 1"}},
		{"an object in the hour before", func(w *world, keys []string) {
			w.put(strings.Replace(keys[20], "hour=23", "hour=22", 1), w.stored(keys[20]))
			w.remove(keys[20])
		}, []string{"misplaced 0"}},
		{"an object in the hour behind", func(w *world, keys []string) {
			w.put(strings.Replace(strings.Replace(keys[20], "hour=23", "hour=00", 1), "dt=2026-11-22", "dt=2026-11-23", 1), w.stored(keys[20]))
			w.remove(keys[20])
		}, []string{"misplaced 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, keys := heartbeats(t)
			tt.damage(w, keys)
			c := w.config()
			c.Buffer = time.Minute
			var got []string
			for _, f := range run(t, c).Findings {
				got = append(got, fmt.Sprint(f.Kind, " ", f.Records))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADeletedObjectOfRepeatedBodiesIsNotInFlight(t *testing.T) {
	t.Parallel()
	w, keys := heartbeats(t)
	c := w.config()
	c.To = base.Add(50 * time.Minute)
	c.Now = func() time.Time { return c.To }
	c.Settle = 6 * time.Minute
	c.Buffer = time.Minute
	for _, k := range keys[50:] {
		w.remove(k)
	}
	if r := run(t, c); !r.Equal() {
		t.Fatalf("findings %v, want none", r.Findings)
	}
	w.remove(keys[20])
	if r := run(t, c); len(r.Findings) != 1 || r.Findings[0].Kind != verify.Missing {
		t.Errorf("findings %v, want one missing record", r.Findings)
	}
}
