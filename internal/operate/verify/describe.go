package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// description collects the description of an object for a manifest. It is the
// writer of the stored bytes. The methods of a nil description do nothing.
type description struct {
	manifest.Object
	hash  hash.Hash
	count *lineCounter
}

// describe returns the description of an object, or nil if Config asks for none.
func (v *verification) describe(key string) *description {
	if !v.Summaries {
		return nil
	}
	return &description{Object: manifest.Object{Key: key}, hash: sha256.New()}
}

func (d *description) Write(b []byte) (int, error) {
	if d == nil {
		return len(b), nil
	}
	d.ContentLength += int64(len(b))
	return d.hash.Write(b)
}

// lines returns a writer that counts the lines of the object's content.
func (d *description) lines(format stream.Format) io.Writer {
	if d == nil || format == stream.Raw {
		return io.Discard
	}
	d.count = &lineCounter{}
	return d.count
}

func (d *description) addLines(format stream.Format, content []byte) {
	_, _ = d.lines(format).Write(content) // It never fails.
}

// addRecords adds records that were logged at a time.
func (d *description) addRecords(n int, loggedAt time.Time) {
	d.Bodies += int64(n)
	if loggedAt.IsZero() {
		return
	}
	if d.FirstLoggedAt.IsZero() || loggedAt.Before(d.FirstLoggedAt) {
		d.FirstLoggedAt = loggedAt.UTC()
	}
	if loggedAt.After(d.LastLoggedAt) {
		d.LastLoggedAt = loggedAt.UTC()
	}
}

func (d *description) object() manifest.Object {
	d.SHA256 = hex.EncodeToString(d.hash.Sum(nil))
	if d.count != nil {
		n := d.count.lines()
		d.RecordCount = &n
	}
	return d.Object
}

// lineCounter counts lines. A last line without a newline counts.
type lineCounter struct {
	newlines int64
	open     bool
}

func (c *lineCounter) Write(b []byte) (int, error) {
	c.newlines += int64(bytes.Count(b, []byte{'\n'}))
	if len(b) > 0 {
		c.open = b[len(b)-1] != '\n'
	}
	return len(b), nil
}

func (c *lineCounter) lines() int64 {
	if c.open {
		return c.newlines + 1
	}
	return c.newlines
}

// addDescription adds the description of an object of Firehose to the report.
func (v *verification) addDescription(o *object) {
	if o.description == nil {
		return
	}
	for _, s := range o.segments {
		if s.line >= 0 {
			p := v.index.lines[s.line]
			o.description.addRecords(p.Records, p.LoggedAt)
		}
	}
	v.report.Objects = append(v.report.Objects, o.description.object())
}

// CompleteHours returns the hours of a period in which a report has no difference,
// with their objects. The hours must be settled: nothing of them may be in flight.
func (r *Report) CompleteHours(from, to time.Time) map[time.Time][]manifest.Object {
	hours := make(map[time.Time][]manifest.Object)
	for at := lastHour(from); !at.Add(time.Hour).After(to); at = at.Add(time.Hour) {
		if !r.concerns(at) {
			hours[at] = nil
		}
	}
	for _, o := range r.Objects {
		at, _ := bucket.Hour(o.Key)
		if _, ok := hours[at]; ok {
			hours[at] = append(hours[at], o)
		}
	}
	return hours
}

// concerns reports whether a finding concerns the objects of an hour. A record that
// was logged in the hour or soon after it may belong into one of them.
func (r *Report) concerns(hour time.Time) bool {
	if r.Unsettled > 0 {
		return true
	}
	for _, f := range r.Findings {
		if f.Hop == HopQueue {
			continue
		}
		folder, ok := bucket.Hour(f.Object)
		logged := !f.LoggedAt.Before(hour) && f.LoggedAt.Before(hour.Add(time.Hour+maxBuffer+maxInvocation))
		if ok && folder.Equal(hour) || logged || !ok && f.LoggedAt.IsZero() {
			return true
		}
	}
	return false
}
