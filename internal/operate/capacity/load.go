package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Load is the load, and the choices on which the result depends.
type Load struct {
	// Rate is the mean number of records a second. Everything is sized for Peak times
	// that rate.
	Rate float64 `json:"rate"`
	Peak float64 `json:"peak"`
	// Size is the size of a decoded body, in bytes.
	Size    int `json:"size"`
	Streams int `json:"streams"`
	// Batch is the number of records in one request.
	Batch int `json:"batch"`
	// Busiest is the share of all records that one stream has; 0: all streams have the
	// same share.
	Busiest float64 `json:"busiest"`
	// Compression is the factor by which compression makes the objects smaller.
	Compression float64 `json:"compression"`
	OnDemand    bool    `json:"onDemand"`
	// NoTap says that no stream has a tap: the drainer puts to Firehose.
	NoTap bool `json:"noTap,omitempty"`
	// Keys says that each request has an idempotency key.
	Keys bool `json:"keys,omitempty"`
	// Profile, Front, Egress and CacheKind are settings of the stack; empty: the default.
	Profile   string `json:"profile,omitempty"`
	Front     string `json:"front,omitempty"`
	Egress    string `json:"egress,omitempty"`
	CacheKind string `json:"cache,omitempty"`
	Region    string `json:"region"`
	// Node is a type of cache node, or auto for the cheapest type that is sufficient.
	Node     string `json:"node"`
	Replicas int    `json:"replicas"`
	// BacklogMinutes is the time for which all records must fit into the cache.
	BacklogMinutes float64 `json:"backlogMinutes"`
	IngestMemory   int     `json:"ingestMemory"`
	DrainerMemory  int     `json:"drainerMemory"`
	BridgeMemory   int     `json:"bridgeMemory"`
}

// defaultLoad returns a modest load on a deployment with the default settings.
func defaultLoad() Load {
	return Load{
		Rate: 1000, Peak: 1, Size: 1 << 10, Streams: 10, Batch: 1, Compression: 5, Region: "us-east-1", Node: "auto", Replicas: defaults.CacheReplicas,
		BacklogMinutes: 5, IngestMemory: defaults.IngestMemory, DrainerMemory: defaults.DrainerMemory, BridgeMemory: defaults.BridgeMemory,
	}
}

// validate returns all problems, by the names of the flags.
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
	number("streams", float64(l.Streams), 1, settings.MaxStreams)
	number("batch", float64(l.Batch), 1, 10_000)
	check(l.Batch <= 1 || l.Batch*l.framed() <= ingest.MaxBodyBytes, "-batch %d: %d records of %d bytes are more than a body may have, %d bytes", l.Batch, l.Batch, l.Size, ingest.MaxBodyBytes)
	number("compression", l.Compression, 1, 1000)
	number("replicas", float64(l.Replicas), 0, 5)
	number("backlog-minutes", l.BacklogMinutes, 0, 24*60)
	number("ingest-memory", float64(l.IngestMemory), settings.MinMemory, settings.MaxMemory)
	number("drainer-memory", float64(l.DrainerMemory), settings.MinMemory, settings.MaxMemory)
	number("bridge-memory", float64(l.BridgeMemory), settings.MinMemory, settings.MaxMemory)
	if l.Busiest != 0 && l.Streams > 0 {
		least := 1 / float64(l.Streams)
		check(l.Busiest >= least && l.Busiest <= 1, "-busiest %g: want %.3g (an equal share of %d streams) to 1", l.Busiest, least, l.Streams)
	}
	if s, err := l.settings(); err != nil {
		problems = append(problems, err)
	} else {
		check(!s.Serverless() || l.Node == "auto", "-node %s: a serverless cache has no nodes", l.Node)
	}
	check(!l.NoTap || !l.OnDemand, "-on-demand: streams without a tap have no Kinesis stream")
	check(l.Region != "", "-region: want a Region as in us-east-1")
	if l.Node != "auto" {
		if _, err := findNode(l.Node); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// settings returns the settings of the stack that the load has chosen.
func (l Load) settings() (settings.Settings, error) {
	context := make(map[string]any)
	for name, value := range map[string]string{"profile": l.Profile, "front": l.Front, "egress": l.Egress, "cache": l.CacheKind} {
		if value != "" {
			context[name] = value
		}
	}
	return settings.Parse(context)
}

// stack returns the settings of a valid load.
func (l Load) stack() settings.Settings {
	s, err := l.settings()
	if err != nil {
		panic(err) // validate has checked them
	}
	return s
}

// streams returns the streams, as far as the stack depends on them.
func (l Load) streams() []stream.Stream {
	s := stream.Stream{Tap: stream.TapOn}
	if l.NoTap {
		s.Tap = stream.TapOff
	}
	return slices.Repeat([]stream.Stream{s}, l.Streams)
}

// requests returns the mean number of requests a second.
func (l Load) requests() float64 { return l.Rate / float64(l.Batch) }

// requestBytes returns the length of the body of a request.
func (l Load) requestBytes() int {
	if l.Batch == 1 {
		return l.Size
	}
	return l.Batch * l.framed()
}

// peak returns the records a second for which everything is sized.
func (l Load) peak() float64 { return l.Rate * l.Peak }

// shares returns the shares of the busiest stream and of each other stream.
func (l Load) shares() (busiest, other float64) {
	switch {
	case l.Streams == 1:
		return 1, 0
	case l.Busiest == 0:
		return 1 / float64(l.Streams), 1 / float64(l.Streams)
	}
	return l.Busiest, (1 - l.Busiest) / float64(l.Streams-1)
}

// overStreams returns the sum over all streams of a function of a stream's share.
func (l Load) overStreams(f func(share float64) float64) float64 {
	busiest, other := l.shares()
	return f(busiest) + float64(l.Streams-1)*f(other)
}

// framed returns the length of a body as a line of the archive.
func (l Load) framed() int { return l.Size + 1 }

// oversize reports whether the bodies are too large for the tap, so that they become
// direct records.
func (l Load) oversize() bool { return l.framed() > stream.MaxFramedBytes }

// queued returns the length of an envelope in the queue.
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

// vCPUs returns the vCPUs of a function with that memory, in MB.
func vCPUs(memory int) float64 { return float64(memory) / vCPUMemory }

// whole rounds up and tolerates rounding errors.
func whole(v float64) int { return int(math.Ceil(v - 1e-9*max(1, v))) }
