package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// The bytes of objects become a number of records, in any order of the events.
func TestCrossingCountsRecordsByBytes(t *testing.T) {
	t.Parallel()
	var c crossing
	want := func(records int64) {
		t.Helper()
		if got := c.archived(); got != records {
			t.Errorf("%d records archived, want %d", got, records)
		}
	}
	c.took(10, 1000)
	c.took(0, 50) // a batch that failed with some bytes delivered
	c.took(5, 500)
	c.wrote(999)
	want(0)
	c.wrote(1)
	want(10)
	c.wrote(550)
	want(15)
	c.wrote(70) // written before the bridge has answered
	want(15)
	c.took(7, 70)
	want(22)
	for range 2 * longestLine {
		c.took(1, 10)
	}
	if len(c.line) > longestLine {
		t.Errorf("%d batches are kept, want %d at most", len(c.line), longestLine)
	}
	c.wrote(20 * longestLine)
	want(22 + 2*longestLine)
}

func TestContentLengthLooksIntoGzip(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, 300_000} {
		for _, gzipped := range []bool{false, true} {
			var b bytes.Buffer
			c := &contentLength{w: &b, gzipped: gzipped}
			body := bytes.Repeat([]byte("x"), size)
			if gzipped {
				z := gzip.NewWriter(c)
				if _, err := z.Write(body); err != nil {
					t.Fatal(err)
				}
				if err := z.Close(); err != nil {
					t.Fatal(err)
				}
			} else if _, err := c.Write(body); err != nil {
				t.Fatal(err)
			}
			if got := c.length(); got != int64(size) {
				t.Errorf("gzip %v: length %d, want %d", gzipped, got, size)
			}
		}
	}
}

// The name of an object is the name of its buffer, whatever extension the stream has.
func TestBufferOfAnObject(t *testing.T) {
	t.Parallel()
	const name = "2026-11-22-23-08-00-00000000-0000-4000-8000-000000000000"
	for _, extension := range []string{"", ".gz", ".json.gz", ".ndjson"} {
		if got := bufferOf("orders/dt=2026-11-22/hour=23/datasink.orders-1-" + name + extension); got != name {
			t.Errorf("bufferOf an object with the extension %q = %q, want %q", extension, got, name)
		}
	}
}

func TestSettledRecords(t *testing.T) {
	t.Parallel()
	var records []cloud.EventRecord
	for i := range 4 {
		records = append(records, cloud.EventRecord{
			Stream: "datasink.orders", Record: cloud.Record{
				SequenceNumber: strconv.Itoa(i), ArrivedAt: time.UnixMilli(1000_500 + int64(i)*1000), Data: []byte("x"),
				PartitionKey: `"approximateArrivalTimestamp":2000`, // looks like the end of a record
			},
		})
	}
	event := cloud.KinesisEvent(records...)
	for _, tt := range []struct {
		answer string
		since  int64
		want   int64
	}{
		{``, 0, 4},
		{`{"batchItemFailures":[]}`, 0, 4},
		{`{"batchItemFailures":[{"itemIdentifier":"2"}]}`, 0, 2},
		{`{"batchItemFailures":[{"itemIdentifier":"0"}]}`, 0, 0},
		{`{}`, 1002, 2}, // the others arrived before the start
		{`no JSON`, 0, 0},
	} {
		if got := settledRecords(event, []byte(tt.answer), time.Unix(tt.since, 0)); got != tt.want {
			t.Errorf("settledRecords(%q, since %d) = %d, want %d", tt.answer, tt.since, got, tt.want)
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
	if all := n.all(); len(all) != keptRecords || all[0].ID != fmt.Sprint(keptRecords-1) {
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

var testStream = stream.Stream{Name: "orders"}
