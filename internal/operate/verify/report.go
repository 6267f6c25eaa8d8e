package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// Kind is what is wrong.
type Kind string

const (
	// Missing is records that a hop took and the next one does not have.
	Missing Kind = "missing"
	// Twice is records that came again.
	Twice Kind = "twice"
	// Changed is bytes of an object that are not those that were sent.
	Changed Kind = "changed"
	// Unknown is bytes of an object that the bridge did not log.
	Unknown Kind = "unknown"
	// Unreadable is an object that cannot be read to its end.
	Unreadable Kind = "unreadable"
	// Unbalanced is counters that do not add up.
	Unbalanced Kind = "unbalanced"
)

// The hops of a record, by the part of the pipeline that it has reached.
const (
	HopQueue   = "queue"
	HopTap     = "tap"
	HopBridge  = "bridge"
	HopArchive = "archive"
)

// Finding is one difference between two hops.
type Finding struct {
	Kind Kind `json:"kind"`
	// Hop is the hop at which it shows.
	Hop string `json:"hop"`
	// Object is the key, and Offset the place in the object's bytes, decompressed.
	Object string `json:"object,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	// Bytes, Records and Packed (packed records) say how much; 0 is unknown.
	Bytes   int64 `json:"bytes,omitempty"`
	Records int   `json:"records,omitempty"`
	Packed  int   `json:"packed,omitempty"`
	// LoggedAt is when the bridge logged the first of them as delivered.
	LoggedAt      time.Time `json:"loggedAt,omitzero"`
	FirstSequence string    `json:"firstSequence,omitempty"`
	LastSequence  string    `json:"lastSequence,omitempty"`
	Detail        string    `json:"detail"`
}

func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at the %s: ", f.Kind, f.Hop)
	if f.Object != "" {
		fmt.Fprintf(&b, "%s, bytes %d to %d: ", f.Object, f.Offset, f.Offset+f.Bytes)
	}
	b.WriteString(f.Detail)
	if f.FirstSequence != "" {
		fmt.Fprintf(&b, " (sequence %s to %s)", f.FirstSequence, f.LastSequence)
	}
	return b.String()
}

// Count is an amount of records.
type Count struct {
	Records int   `json:"records"`
	Bytes   int64 `json:"bytes,omitempty"`
	// Packed is the number of packed records, Objects that of objects.
	Packed  int `json:"packed,omitempty"`
	Objects int `json:"objects,omitempty"`
}

func (c *Count) add(p pack.Line) {
	c.Records += p.Records
	c.Bytes += int64(p.Bytes)
	c.Packed++
}

// Report is what a verification found.
type Report struct {
	Stream string    `json:"stream"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	// Queue has the queue's counters, of all time; nil when they were not read.
	Queue *Queue `json:"queue,omitempty"`
	// Tap counts the records that arrived on the tap; nil when it was not read.
	Tap *Count `json:"tap,omitempty"`
	// Bridged is what the bridge logged as delivered to Firehose, and Archived
	// what of it stands in objects.
	Bridged  Count `json:"bridged"`
	Archived Count `json:"archived"`
	// Read counts the objects of the window that came through Firehose, with
	// their bytes, decompressed.
	Read Count `json:"read"`
	// Direct counts the objects that were written straight to the archive.
	Direct map[archive.Reason]Count `json:"direct,omitempty"`
	// DirectObjects are their keys.
	DirectObjects []string `json:"directObjects,omitempty"`
	// Aside counts records of the tap that the bridge, or the mapping, put aside.
	Aside Count `json:"aside"`
	// TapInFlight is what is on the tap and not bridged yet, InFlight what is
	// bridged and too young to be missing.
	TapInFlight Count `json:"tapInFlight"`
	InFlight    Count `json:"inFlight"`
	// Unsettled is bytes of objects so young that the log may not tell of them yet.
	Unsettled int64     `json:"unsettledBytes,omitempty"`
	Findings  []Finding `json:"findings"`
}

// Queue is the counters of a stream's queue, in records.
type Queue struct {
	Accepted  int64 `json:"accepted"`
	Queued    int64 `json:"queued"`
	Claimed   int64 `json:"claimed"`
	Forwarded int64 `json:"forwarded"`
	Aside     int64 `json:"aside"`
}

// Equal reports whether every hop has what the one before it had, but for what is
// in flight.
func (r *Report) Equal() bool { return len(r.Findings) == 0 }

func (r *Report) find(f Finding) { r.Findings = append(r.Findings, f) }
