package page

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// bridged counts what one invocation of the bridge has done: bytes that Firehose
// accepted, and dead letters. It is in the context of the invocation.
type bridged struct{ bytes, dead atomic.Int64 }

type bridgedKey struct{}

// watchFirehose counts the bytes that Firehose accepts from each invocation.
func (p *Page) watchFirehose(s sink.Service) sink.Service { return &watchedFirehose{s} }

type watchedFirehose struct{ sink.Service }

// Put is one PutRecordBatch call.
func (f *watchedFirehose) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	failures, err := f.Service.Put(ctx, stream, entries)
	if sent, ok := ctx.Value(bridgedKey{}).(*bridged); ok && err == nil {
		var accepted int64
		for _, e := range entries {
			accepted += int64(len(e.Data))
		}
		for _, failure := range failures {
			accepted -= int64(len(entries[failure.Index].Data))
		}
		sent.bytes.Add(accepted)
	}
	return failures, err
}

// watchPacked counts the records that the drainer put to Firehose without the tap.
func (p *Page) watchPacked(l pack.Line) {
	if m := p.meter(l.Stream); m != nil && !l.FromTap() {
		m.drained.Add(int64(l.Records))
		m.crossing.took(int64(l.Records), int64(l.Bytes))
	}
}

// The parts of a Kinesis event that the page searches for. The key and the data of a
// record cannot contain them, because a quotation mark is escaped in the key and
// does not occur in base64.
var (
	eventArrived = []byte(`"approximateArrivalTimestamp":`)
	eventStream  = []byte(`:stream/`)
)

func (p *Page) watchBridge(h cloud.Handler) cloud.Handler {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		at := bytes.LastIndex(event, eventStream)
		if at < 0 {
			return h(ctx, event)
		}
		name, _, _ := bytes.Cut(event[at+len(eventStream):], []byte(`"`))
		m := p.meter(string(name))
		if m == nil {
			return h(ctx, event)
		}
		var sent bridged
		answer, err := h(context.WithValue(ctx, bridgedKey{}, &sent), event)
		settled := int64(0)
		if err == nil {
			settled = settledRecords(event, answer, p.started)
		}
		dead := min(settled, sent.dead.Load())
		m.bridged.Add(settled)
		m.deadAtBridge.Add(dead)
		m.crossing.took(settled-dead, sent.bytes.Load())
		return answer, err
	}
}

// settledRecords is the number of records of an event that the bridge has settled,
// according to its answer, and that arrived on the tap since the given time.
func settledRecords(event, answer []byte, since time.Time) int64 {
	var response events.KinesisEventResponse
	if len(answer) > 0 && json.Unmarshal(answer, &response) != nil {
		return 0
	}
	for _, failure := range response.BatchItemFailures {
		event, _, _ = bytes.Cut(event, []byte(`"sequenceNumber":"`+failure.ItemIdentifier+`"`))
	}
	from := float64(since.UnixMilli()) / 1000
	var settled int64
	for {
		_, rest, ok := bytes.Cut(event, eventArrived)
		if !ok {
			return settled
		}
		// The time of arrival is the last member of its object.
		digits, _, _ := bytes.Cut(rest[:min(len(rest), 32)], []byte("}"))
		if at, err := strconv.ParseFloat(string(digits), 64); err == nil && at >= from {
			settled++
		}
		event = rest
	}
}
