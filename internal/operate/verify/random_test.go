package verify_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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
	var mu sync.Mutex
	total, disagreements := make(map[string]int), 0
	t.Run("all", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprint("worker=", w), func(t *testing.T) {
				t.Parallel()
				s := newShelf(t)
				for seed := w; seed < *archives; seed += workers {
					a := newRandomArchive(t, uint64(seed)) // #nosec G115 -- not negative
					damage := a.damage()
					r := s.verify(a)
					kind, _, _ := strings.Cut(damage, " ")
					mu.Lock()
					total[kind]++
					if r.Equal() != (damage == "") {
						disagreements++
						t.Errorf("archive %d, damage %q: %d objects of %d packed records, mode %s, found %v", seed, damage, len(a.objects), len(a.lines), a.mode, r.Findings)
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d archives, %d disagreements; archives by damage: %v", *archives, disagreements, total)
}

// shelf is a bucket that holds one random archive after another.
type shelf struct {
	t       *testing.T
	client  *s3.Client
	written time.Time // of the next object
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{t: t}
	s.client = s3test.Start(t, s3test.Options{Now: func() time.Time { return s.written }})
	return s
}

// verify verifies the middle hour of an archive.
func (s *shelf) verify(a *randomArchive) *verify.Report {
	s.t.Helper()
	store := archive.NewS3(s.client, s3test.Bucket)
	for _, o := range a.objects {
		s.written = o.written.Truncate(time.Second)
		if err := store.Put(s.t.Context(), o.key(), zipped(s.t, o.content)); err != nil {
			s.t.Fatal(err)
		}
	}
	r := run(s.t, a.config(bucket.New(s.client, s3test.Bucket)))
	for _, o := range a.objects {
		if _, err := s.client.DeleteObject(s.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s3test.Bucket), Key: aws.String(o.key())}); err != nil {
			s.t.Fatal(err)
		}
	}
	return r
}

// randomArchive is three hours of a stream and the middle hour to verify.
type randomArchive struct {
	*rand.Rand
	t       testing.TB
	mode    string
	bodies  []string
	buffer  time.Duration
	lines   []pack.Line
	direct  []archive.Line
	objects []*randomObject
}

// randomObject is what Firehose has buffered, and then an object. The object of a direct
// record has no packed records.
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
	for range a.IntN(4) {
		a.putDirect(base.Add(time.Duration(a.IntN(3600)) * time.Second))
	}
	for _, o := range a.objects {
		if o.isDirect() {
			continue
		}
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

// putDirect writes a direct record of the middle hour, and logs it.
func (a *randomArchive) putDirect(at time.Time) {
	o := &randomObject{start: at, written: at, folder: base, name: direct(at), content: a.pack()}
	a.objects = append(a.objects, o)
	a.direct = append(a.direct, archive.Line{
		LoggedAt: at, Stream: "orders", Reason: archive.Fallback, Records: 1, Bytes: len(o.content), Hash: archive.Hash(stream.Lines, o.content), Key: o.key(),
	})
}

func (o *randomObject) isDirect() bool { return len(o.packed) == 0 }

// damages are the kinds of damage. An archive without damage is as likely as two kinds.
var damages = []string{
	"", "", "deleted", "copied", "moved", "changed", "truncated", "extended", "overwritten", "line-lost", "line-twice", "lines-exchanged",
}

// damage does at most one damage to an object of the middle hour, and says which.
func (a *randomArchive) damage() string {
	var within []*randomObject
	for _, o := range a.objects {
		// An object of which all records were logged in the hour.
		if o.folder.Equal(base) && o.start.Add(a.buffer+time.Second).Before(base.Add(time.Hour)) {
			within = append(within, o)
		}
	}
	if len(within) == 0 {
		return ""
	}
	o, other := within[a.IntN(len(within))], within[a.IntN(len(within))]
	kind := damages[a.IntN(len(damages))]
	before := bytes.Clone(o.content)
	switch kind {
	case "deleted":
		a.objects = slices.DeleteFunc(a.objects, func(other *randomObject) bool { return other == o })
		return kind + " " + o.name
	case "copied":
		return a.copy(o)
	case "moved":
		o.folder = o.folder.Add(time.Duration(1-2*a.IntN(2)) * time.Hour)
		if a.isAtEdge(o) {
			o.folder = base
			return ""
		}
		return kind + " " + o.name
	case "changed":
		o.content[a.IntN(len(o.content))] = "ab\n!"[a.IntN(4)]
	case "truncated":
		o.content = o.content[:a.IntN(len(o.content))]
	case "extended":
		again := append(o.packed, other.content)
		o.content = append(o.content, again[a.IntN(len(again))]...)
	case "overwritten":
		o.content = other.content
	case "line-lost", "line-twice":
		lines := slices.Collect(bytes.Lines(o.content))
		i := a.IntN(len(lines))
		if kind == "line-lost" {
			lines = slices.Delete(lines, i, i+1)
		} else {
			lines = slices.Insert(lines, i, lines[i])
		}
		o.content = bytes.Join(lines, nil)
	case "lines-exchanged":
		if !slices.ContainsFunc(within, func(other *randomObject) bool { return exchange(o, other) }) {
			return ""
		}
	}
	// The same lines in another order are not a difference: order is not promised. A
	// direct record is one record.
	if bytes.Equal(before, o.content) || !o.isDirect() && slices.Equal(sortedLines(before), sortedLines(o.content)) {
		return ""
	}
	return kind + " " + o.name
}

func sortedLines(content []byte) []string { return slices.Sorted(strings.Lines(string(content))) }

// copy copies an object under another name of its hour. A direct record is a copy of the
// hour before, because in its own hour it would look like a repeated request.
func (a *randomArchive) copy(o *randomObject) string {
	again := *o
	again.written = base.Add(30 * time.Hour)
	again.name = o.name[:len(o.name)-5] + "ff.gz"
	if o.isDirect() {
		again.name = direct(base.Add(-30 * time.Minute))
	}
	if again.name == o.name {
		return ""
	}
	a.objects = append(a.objects, &again)
	return "copied " + o.name
}

// exchange exchanges a unique line of each of two objects that began at different times:
// a line can be logged 25 minutes after its object began. It reports whether it did so.
func exchange(a, b *randomObject) bool {
	x, y := uniqueLine(a.content), uniqueLine(b.content)
	if a.start.Sub(b.start).Abs() < 30*time.Minute || x == nil || y == nil {
		return false
	}
	a.content, b.content = bytes.Replace(a.content, x, y, 1), bytes.Replace(b.content, y, x, 1)
	return true
}

func uniqueLine(content []byte) []byte {
	for line := range bytes.Lines(content) {
		if bytes.HasPrefix(line, []byte("unique ")) {
			return line
		}
	}
	return nil
}

// isAtEdge reports whether an object began so near to its folder that clocks
// cannot tell.
func (a *randomArchive) isAtEdge(o *randomObject) bool {
	return o.start.After(o.folder.Add(-10*time.Second)) && o.start.Before(o.folder.Add(time.Hour+10*time.Second))
}

// config verifies the middle hour of the archive.
func (a *randomArchive) config(objects *bucket.Bucket) verify.Config {
	return verify.Config{
		Stream: "orders", From: base, To: base.Add(time.Hour), Settle: 20 * time.Minute, Buffer: a.buffer, Objects: objects,
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
		Direct: func(_ context.Context, _, _ time.Time, each func(archive.Line) error) error {
			for _, l := range a.direct {
				if err := each(l); err != nil {
					return err
				}
			}
			return nil
		},
		Now: func() time.Time { return base.Add(24 * time.Hour) },
	}
}
