package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// Kind is the kind of a difference.
type Kind string

const (
	// Missing: a part of the pipeline took records that the next part does not have.
	Missing Kind = "missing"
	// Twice: records arrived more than once.
	Twice Kind = "twice"
	// Changed: bytes of an object differ from the bytes that were sent.
	Changed Kind = "changed"
	// Misplaced: an object is in the folder of another hour, or records are in an
	// object of another time.
	Misplaced Kind = "misplaced"
	// Unknown: no log line of a packed record explains bytes of an object.
	Unknown Kind = "unknown"
	// Unreadable: an object cannot be read to its end.
	Unreadable Kind = "unreadable"
	// Unbalanced: the counters of the queue do not add up.
	Unbalanced Kind = "unbalanced"
	// Lost: accepted records are gone from the queue.
	Lost Kind = "lost"
)

// The hops of a record: the parts of the pipeline that it passes.
const (
	HopQueue   = "queue"
	HopTap     = "tap"
	HopBridge  = "bridge"
	HopArchive = "archive"
)

// Finding is one difference between two hops.
type Finding struct {
	Kind Kind `json:"kind"`
	// Hop is the hop that has the difference.
	Hop string `json:"hop"`
	// Object is the key of an object, and Offset a place in its bytes, decompressed.
	Object string `json:"object,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	// Bytes, Records and Packed (packed records) are the size of the difference; 0
	// is unknown.
	Bytes   int64 `json:"bytes,omitempty"`
	Records int   `json:"records,omitempty"`
	Packed  int   `json:"packed,omitempty"`
	// LoggedAt is when the first of the records was logged.
	LoggedAt time.Time `json:"loggedAt,omitzero"`
	// FirstSequence and LastSequence are sequence numbers of the first and the last
	// record.
	FirstSequence string `json:"firstSequence,omitempty"`
	LastSequence  string `json:"lastSequence,omitempty"`
	Detail        string `json:"detail"`
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
	// Packed is the number of packed records, Objects the number of objects.
	Packed  int `json:"packed,omitempty"`
	Objects int `json:"objects,omitempty"`
}

func (c *Count) add(p pack.Line) {
	c.Records += p.Records
	c.Bytes += int64(p.Bytes)
	c.Packed++
}

func (c *Count) addRecord(bytes int) {
	c.Records++
	c.Bytes += int64(bytes)
}

// Report is the result of a verification.
type Report struct {
	Stream string    `json:"stream"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	// Queue has the counters of the queue since it exists; nil if they were not
	// read.
	Queue *Queue `json:"queue,omitempty"`
	// Tap counts the records that arrived on the tap; nil if the tap was not read.
	Tap *Count `json:"tap,omitempty"`
	// Bridged counts the records that Firehose accepted from the bridge, by the bridge's
	// log. Drained counts the records that Firehose accepted from the drainer, by the
	// drainer's log. Archived counts the records of both logs that are in objects.
	Bridged  Count `json:"bridged"`
	Drained  Count `json:"drained"`
	Archived Count `json:"archived"`
	// Read counts the objects of the window that Firehose wrote, with their bytes,
	// decompressed.
	Read Count `json:"read"`
	// Direct counts the direct records by their reason.
	Direct map[archive.Reason]Count `json:"direct,omitempty"`
	// DirectObjects are the keys of the direct records.
	DirectObjects []string `json:"directObjects,omitempty"`
	// DirectUnlogged are the keys of direct records that ingest did not log: the
	// client may not have got a 202 for them.
	DirectUnlogged []string `json:"directUnlogged,omitempty"`
	// Objects describes the objects of the verified hours, if Config asks for it.
	Objects []manifest.Object `json:"-"`
	// DeadLettered counts records of the tap that are dead letters.
	DeadLettered Count `json:"deadLettered"`
	// TapInFlight counts records of the tap that the bridge has not sent yet, and
	// InFlight records that are not in an object yet; both are younger than Settle.
	TapInFlight Count `json:"tapInFlight"`
	InFlight    Count `json:"inFlight"`
	// Unsettled is the number of bytes in objects that are so young that the log
	// may not have their lines yet.
	Unsettled int64     `json:"unsettledBytes,omitempty"`
	Findings  []Finding `json:"findings"`
}

// Equal reports whether there is no difference. Records in flight are not a
// difference.
func (r *Report) Equal() bool { return len(r.Findings) == 0 }

func (r *Report) find(f Finding) { r.Findings = append(r.Findings, f) }
