package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Load is what comes in, and the choices that the answer depends on.
type Load struct {
	// Rate is the mean number of records a second, Peak the multiple of it for
	// which everything is sized.
	Rate float64 `json:"rate"`
	Peak float64 `json:"peak"`
	// Size is that of a body, in bytes, as it is kept.
	Size    int `json:"size"`
	Streams int `json:"streams"`
	// Busiest is the share of all records that one stream has; 0: all have the same.
	Busiest float64 `json:"busiest"`
	// Compression is how many times smaller the archive's objects are.
	Compression float64 `json:"compression"`
	OnDemand    bool    `json:"onDemand"`
	Region      string  `json:"region"`
	// Node is a type of cache node, or auto for the cheapest that does.
	Node     string `json:"node"`
	Replicas int    `json:"replicas"`
	// BacklogMinutes is for how long all records are to fit into the cache.
	BacklogMinutes float64 `json:"backlogMinutes"`
	IngestMemory   int     `json:"ingestMemory"`
	DrainerMemory  int     `json:"drainerMemory"`
	BridgeMemory   int     `json:"bridgeMemory"`
}

// defaultLoad is a deployment as it comes, under a modest load.
func defaultLoad() Load {
	return Load{
		Rate: 1000, Peak: 1, Size: 1 << 10, Streams: 10, Compression: 5, Region: "us-east-1", Node: "auto", Replicas: cacheReplicas,
		BacklogMinutes: 5, IngestMemory: ingestMemory, DrainerMemory: drainerMemory, BridgeMemory: bridgeMemory,
	}
}

// validate lists everything that is wrong, by the names of the flags.
func (l Load) validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	number := func(name string, v, low, high float64) {
		check(v >= low && v <= high && !math.IsNaN(v), "-%s %g: want %g to %g", name, v, low, high)
	}
	number("rate", l.Rate, 0.001, 1e8)
	number("peak", l.Peak, 1, 1000)
	number("size", float64(l.Size), 1, float64(ingest.MaxBodyBytes))
	number("streams", float64(l.Streams), 1, maxStreams)
	number("compression", l.Compression, 1, 1000)
	number("replicas", float64(l.Replicas), 0, 5)
	number("backlog-minutes", l.BacklogMinutes, 0, 24*60)
	number("ingest-memory", float64(l.IngestMemory), memoryMin, memoryMax)
	number("drainer-memory", float64(l.DrainerMemory), memoryMin, memoryMax)
	number("bridge-memory", float64(l.BridgeMemory), memoryMin, memoryMax)
	if l.Busiest != 0 && l.Streams > 0 {
		least := 1 / float64(l.Streams)
		check(l.Busiest >= least && l.Busiest <= 1, "-busiest %g: want %.3g, the same for each of %d streams, to 1", l.Busiest, least, l.Streams)
	}
	check(l.Region != "", "-region: want a Region as in us-east-1")
	if l.Node != "auto" {
		if _, err := findNode(l.Node); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// peak is records a second for which everything is sized.
func (l Load) peak() float64 { return l.Rate * l.Peak }

// shares are those of the busiest stream and of each other one.
func (l Load) shares() (busiest, other float64) {
	switch {
	case l.Streams == 1:
		return 1, 0
	case l.Busiest == 0:
		return 1 / float64(l.Streams), 1 / float64(l.Streams)
	}
	return l.Busiest, (1 - l.Busiest) / float64(l.Streams-1)
}

// overStreams adds a function of a stream's share up over all streams.
func (l Load) overStreams(f func(share float64) float64) float64 {
	busiest, other := l.shares()
	return f(busiest) + float64(l.Streams-1)*f(other)
}

// framed is the length of a body as a line of the archive.
func (l Load) framed() int { return l.Size + 1 }

// oversize reports whether the records go straight to the archive, past Redis and
// the tap.
func (l Load) oversize() bool { return l.framed() > stream.MaxFramedBytes }

// queued is the length of an envelope, as Redis gets and gives it.
func (l Load) queued() float64 {
	head := 2 // of the body, in MessagePack
	switch {
	case l.Size > math.MaxUint16:
		head = 5
	case l.Size > math.MaxUint8:
		head = 3
	}
	return float64(emptyEnvelope - 2 + head + l.Size)
}

// emptyEnvelope is the length of an envelope without a body.
var emptyEnvelope = len(envelopeOf(0))

func envelopeOf(size int) []byte {
	e, err := envelope.Encode(envelope.Record{
		Stream: "a-stream", ReceivedAt: time.Unix(1_800_000_000, 123_456_789), ID: "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f", Body: make([]byte, size),
	})
	if err != nil {
		panic(fmt.Sprintf("encoding an envelope: %v", err)) // into memory
	}
	return e
}

// vCPUs is what memory brings to a function.
func vCPUs(memory int) float64 { return float64(memory) / vCPUMemory }

// whole rounds up, and forgives what a division left.
func whole(v float64) int { return int(math.Ceil(v - 1e-9*max(1, v))) }
