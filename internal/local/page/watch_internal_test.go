package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// The bytes in objects become a number of records, in any order of the events.
func TestCrossingCountsRecordsByBytes(t *testing.T) {
	t.Parallel()
	var accepted, written int64
	c := crossing{progress: func() (int64, int64) { return accepted, written }}
	took := func(records, bytes int64) {
		accepted += bytes
		c.took(records)
	}
	want := func(records, inObjects int64) {
		t.Helper()
		written = inObjects
		if got := c.archived(); got != records {
			t.Errorf("%d records archived with %d bytes in objects, want %d", got, inObjects, records)
		}
	}
	took(10, 1000)
	took(0, 50) // a batch that failed after Firehose had accepted some bytes
	took(5, 500)
	want(0, 999)
	want(10, 1000)
	want(15, 1550)
	accepted, written = 1620, 1620 // before the bridge calls its observer
	took(7, 0)
	want(22, 1620)
	for range 2 * longestLine {
		took(1, 10)
	}
	if len(c.line) > longestLine {
		t.Errorf("%d batches are kept, want %d at most", len(c.line), longestLine)
	}
	want(22+2*longestLine, accepted)
}

// A claim counts where the drainer put it: the stream can get or lose its tap while
// the claim is under way.
func TestAClaimCountsWhereItWasPut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		now     stream.Tap
		claim   drain.Summary
		drained int64
	}{
		"to Firehose, with a tap since":   {stream.TapOn, drain.Summary{Forwarded: 3, Packed: 1}, 3},
		"to the tap, without a tap since": {stream.TapOff, drain.Summary{Forwarded: 3}, 0},
	} {
		m := &meter{crossing: crossing{progress: func() (int64, int64) { return 0, 0 }}}
		m.stream.Store(&stream.Stream{Name: "orders", Tap: tt.now})
		p := &Page{}
		p.meters.Store(&meters{byName: map[string]*meter{"orders": m}})
		tt.claim.Stream = "orders"
		p.drained(tt.claim)
		if got := m.drained.Load(); got != tt.drained {
			t.Errorf("%s: %d records count as put to Firehose, want %d", name, got, tt.drained)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(strings.Repeat("inside ", 1000)))
	_ = z.Close()
	for _, tt := range []struct{ body, want string }{
		{"", ""},
		{"a", "a"},
		{"naïve", "naïve"},
		{strings.Repeat("x", 20), strings.Repeat("x", 20)},
		{strings.Repeat("x", 21), strings.Repeat("x", 20) + "…"},
		{strings.Repeat("é", 11), strings.Repeat("é", 10) + "…"},
		{"x" + strings.Repeat("é", 11), "x" + strings.Repeat("é", 9) + "…"},
		{zipped.String(), "inside inside inside…"[:20] + "…"},
		{"\x00\xff", "00000000  00 ff                                             |..|"},
		{"\x1f\x8bno gzip", "(damaged gzip: "},
	} {
		if got := preview(strings.NewReader(tt.body), 20); got != tt.want && !(strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(got, tt.want)) {
			t.Errorf("preview(%.20q) = %q, want %q", tt.body, got, tt.want)
		}
	}
}

// A compressed body that decompresses to nothing must not cost the push, or the
// page, more than the bytes that are kept.
func TestPreviewReadsALimitedInput(t *testing.T) {
	t.Parallel()
	var empty bytes.Buffer
	z := gzip.NewWriter(&empty)
	_ = z.Close()
	members := &counter{Reader: io.MultiReader(bytes.NewReader(bytes.Repeat(empty.Bytes(), 200_000)), strings.NewReader("x"))}
	preview(members, cutBytes)
	if members.n > 2*previewInput {
		t.Errorf("preview read %d bytes, want at most %d and a buffer", members.n, previewInput)
	}
	var n newest
	body := bytes.Repeat(empty.Bytes(), 200_000)
	n.add(seen{ID: "1", ReceivedAt: time.Unix(1, 0)}, body)
	if got := n.all()[0]; len(got.head) != keptBytes || got.Size != len(body) {
		t.Errorf("%d bytes of a body of %d kept, want %d", len(got.head), got.Size, keptBytes)
	}
}

// counter counts the bytes that are read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

func TestNewestKeepsALimitedNumber(t *testing.T) {
	t.Parallel()
	var n newest
	now := time.Unix(1, 0)
	for i := range 1000 {
		if n.look(now) {
			n.add(seen{ID: fmt.Sprint(i), ReceivedAt: now}, nil)
		}
	}
	if all := n.all(); len(all) != keptRecords || all[0].ID != fmt.Sprint(lookRecords-1) {
		t.Errorf("%d records kept, the newest %s", len(all), all[0].ID)
	}
	if !n.look(now.Add(lookWindow)) {
		t.Error("the next window looks at nothing")
	}
}

func TestSeriesForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var s series
	for i := range samples + 10 {
		s.add(float64(i))
	}
	if all := s.all(); len(all) != samples || all[0] != 10 || all[samples-1] != samples+9 {
		t.Errorf("%d values from %v to %v", len(all), all[0], all[len(all)-1])
	}
}
