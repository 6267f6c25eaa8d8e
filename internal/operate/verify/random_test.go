package verify_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/uuid"
)

var archives = flag.Int("archives", 200, "the number of archives of TestRandomArchives")

// TestRandomArchives makes archives with repeated bodies, each with no damage or
// one damage. Run must agree with what was done to each archive.
func TestRandomArchives(t *testing.T) {
	t.Parallel()
	const workers = 4
	agreed := make(chan map[string]int, workers)
	for w := range workers {
		go func() {
			counts := make(map[string]int)
			defer func() { agreed <- counts }()
			for seed := w; seed < *archives; seed += workers {
				a := newRandomArchive(t, uint64(seed))
				damage := a.damage()
				if r := run(t, a.config()); r.Equal() != (damage == "") {
					t.Errorf("archive %d, damage %q: %d objects of %d packed records, mode %s, found %v", seed, damage, len(a.objects), len(a.lines), a.mode, r.Findings)
				}
				counts[strings.SplitN(damage, " ", 2)[0]]++
			}
		}()
	}
	total := make(map[string]int)
	for range workers {
		for damage, n := range <-agreed {
			total[damage] += n
		}
	}
	t.Logf("archives by damage: %v", total)
}

// randomArchive is three hours of a stream and the middle hour to verify.
type randomArchive struct {
	*rand.Rand
	t       testing.TB
	mode    string
	bodies  []string
	buffer  time.Duration
	lines   []pack.Line
	objects []*randomObject
}

// randomObject is what Firehose has buffered, and then an object.
type randomObject struct {
	start   time.Time
	written time.Time
	folder  time.Time // the hour of its folder
	name    string
	packed  [][]byte
	content []byte
}

func (o *randomObject) key() string {
	return stream.Stream{Name: "orders"}.Folder(o.folder) + o.name
}

func newRandomArchive(t testing.TB, seed uint64) *randomArchive {
	a := &randomArchive{Rand: rand.New(rand.NewPCG(seed, 1)), t: t}
	a.buffer = time.Duration(60+a.IntN(840)) * time.Second
	a.mode = []string{"one body", "few bodies", "prefixes", "mixed"}[a.IntN(4)]
	switch a.mode {
	case "one body":
		a.bodies = []string{`{"status":"ok"}`}
	case "few bodies":
		a.bodies = []string{`{"a":1}`, `{"b":2}`, `{"c":33}`}
	default:
		a.bodies = []string{"a", "ab", "a\nb", "b", "\n", "ba"}
	}
	// From before the hours that are read to after them, at a pace that gives an
	// object a few packed records.
	pace := a.buffer / time.Duration(1+a.IntN(6))
	skew := time.Duration(a.IntN(600)-300) * time.Millisecond
	var open *randomObject
	for at := base.Add(-90 * time.Minute); at.Before(base.Add(150 * time.Minute)); {
		if open == nil || at.Sub(open.start) > a.buffer {
			open = a.begin(at)
		}
		p := a.pack()
		open.packed = append(open.packed, p)
		delay := time.Duration(a.IntN(900)) * time.Millisecond
		if a.IntN(60) == 0 && at.Before(base.Add(40*time.Minute)) {
			delay = time.Duration(a.IntN(600)) * time.Second // a batch that was tried again
		}
		a.log(p, at.Add(max(delay+skew, -at.Sub(open.start))))
		at = at.Add(time.Duration(float64(pace) * (0.2 + 1.6*a.Float64())))
	}
	for _, o := range a.objects {
		for i := range len(o.packed) - 1 { // nearly in order
			if a.IntN(3) == 0 {
				o.packed[i], o.packed[i+1] = o.packed[i+1], o.packed[i]
			}
		}
		o.content = bytes.Join(o.packed, nil)
	}
	return a
}

// begin begins an object.
func (a *randomArchive) begin(at time.Time) *randomObject {
	id, err := uuid.NewRandomFromReader(rand.NewChaCha8([32]byte{byte(a.Uint32()), byte(a.Uint32()), byte(a.Uint32())}))
	if err != nil {
		a.t.Fatal(err)
	}
	o := &randomObject{
		start: at, written: at.Add(a.buffer + time.Duration(a.IntN(3000))*time.Millisecond), folder: at.Truncate(time.Hour),
		name: fmt.Sprintf("d.orders-1-%s-%s.gz", at.Format("2006-01-02-15-04-05"), id),
	}
	a.objects = append(a.objects, o)
	return o
}

// pack returns a packed record of one to four bodies.
func (a *randomArchive) pack() []byte {
	var p []byte
	for range 1 + a.IntN(4) {
		body := a.bodies[a.IntN(len(a.bodies))]
		if a.mode == "mixed" && a.IntN(2) == 0 {
			body = fmt.Sprint("unique ", a.Uint64())
		}
		p = stream.Lines.AppendFramed(p, []byte(body))
	}
	return p
}

func (a *randomArchive) log(p []byte, at time.Time) {
	sequence := fmt.Sprint(100_000 + len(a.lines))
	a.lines = append(a.lines, pack.Line{
		LoggedAt: at, Stream: "orders", Bytes: len(p), Records: bytes.Count(p, []byte("\n")), Hash: xxhash.Sum64(p),
		Shard: "shardId-0", FirstSequence: sequence, LastSequence: sequence,
	})
}

// damage does at most one damage to an object of the middle hour, and says which.
func (a *randomArchive) damage() string {
	var within []int
	for i, o := range a.objects {
		// An object of which all records were logged in the hour.
		if o.folder.Equal(base) && o.start.Add(a.buffer+time.Second).Before(base.Add(time.Hour)) {
			within = append(within, i)
		}
	}
	if len(within) == 0 {
		return ""
	}
	hit := within[a.IntN(len(within))]
	o := a.objects[hit]
	kind := []string{"", "", "deleted", "copied", "moved", "changed", "truncated", "extended", "overwritten"}[a.IntN(9)]
	before := bytes.Clone(o.content)
	switch kind {
	case "deleted":
		a.objects = slices.Delete(a.objects, hit, hit+1)
		return kind
	case "copied":
		again := *o
		again.name = strings.TrimSuffix(o.name, "00.gz")[:len(o.name)-5] + "ff.gz"
		again.written = base.Add(30 * time.Hour)
		if again.name == o.name {
			return ""
		}
		a.objects = append(a.objects, &again)
		return kind
	case "moved":
		o.folder = o.folder.Add(time.Duration(1-2*a.IntN(2)) * time.Hour)
		if a.isAtEdge(o) {
			o.folder = base
			return ""
		}
		return kind
	case "changed":
		at := a.IntN(len(o.content))
		o.content[at] = "ab\n!"[a.IntN(4)]
	case "truncated":
		o.content = o.content[:a.IntN(len(o.content))]
	case "extended":
		o.content = append(o.content, o.packed[a.IntN(len(o.packed))]...)
	case "overwritten":
		o.content = a.objects[within[a.IntN(len(within))]].content
	}
	// The same lines in another order are not a difference: order is not promised.
	sorted := func(content []byte) []string { return slices.Sorted(strings.Lines(string(content))) }
	if slices.Equal(sorted(before), sorted(o.content)) {
		return ""
	}
	return kind + " " + o.name
}

// isAtEdge reports whether an object began so near to its folder that clocks
// cannot tell.
func (a *randomArchive) isAtEdge(o *randomObject) bool {
	return o.start.After(o.folder.Add(-10*time.Second)) && o.start.Before(o.folder.Add(time.Hour+10*time.Second))
}

// config verifies the middle hour of the archive.
func (a *randomArchive) config() verify.Config {
	written := time.Time{}
	client := s3test.Start(a.t, s3test.Options{Now: func() time.Time { return written }})
	store := archive.NewS3(client, s3test.Bucket)
	for _, o := range a.objects {
		written = o.written.Truncate(time.Second)
		if err := store.Put(a.t.Context(), o.key(), zipped(a.t, o.content)); err != nil {
			a.t.Fatal(err)
		}
	}
	return verify.Config{
		Stream: "orders", From: base, To: base.Add(time.Hour), Settle: 20 * time.Minute, Buffer: a.buffer, Objects: bucket.New(client, s3test.Bucket),
		Packed: func(_ context.Context, from, to time.Time, each func(pack.Line) error) error {
			for _, p := range a.lines {
				if !p.LoggedAt.Before(from) && p.LoggedAt.Before(to) {
					if err := each(p); err != nil {
						return err
					}
				}
			}
			return nil
		},
		Now: func() time.Time { return base.Add(24 * time.Hour) },
	}
}
