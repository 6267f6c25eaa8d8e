package page

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// bridgedBytes is what one invocation of the bridge has passed to Firehose; it
// travels in the context.
type bridgedBytes struct{ atomic.Int64 }

type bridgedKey struct{}

// watchFirehose counts the bytes that each invocation of the bridge passes on.
func (p *Page) watchFirehose(s sink.Service) sink.Service { return &watchedFirehose{s} }

type watchedFirehose struct{ sink.Service }

// Put is one PutRecordBatch call.
func (f *watchedFirehose) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	failures, err := f.Service.Put(ctx, stream, entries)
	if count, ok := ctx.Value(bridgedKey{}).(*bridgedBytes); ok && err == nil {
		var taken int64
		for _, e := range entries {
			taken += int64(len(e.Data))
		}
		for _, failure := range failures {
			taken -= int64(len(entries[failure.Index].Data))
		}
		count.Add(taken)
	}
	return failures, err
}

// The parts of an event of Kinesis that the page looks for. Neither key nor data of
// a record can hold them: there a quotation mark is escaped or does not occur.
var (
	eventArrived = []byte(`"approximateArrivalTimestamp":`)
	eventStream  = []byte(`:stream/`)
)

func (p *Page) watchBridge(h local.Handler) local.Handler {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		at := bytes.LastIndex(event, eventStream)
		if at < 0 {
			return h(ctx, event)
		}
		name, _, _ := bytes.Cut(event[at+len(eventStream):], []byte(`"`))
		m := p.byName[string(name)]
		if m == nil {
			return h(ctx, event)
		}
		var passed bridgedBytes
		answer, err := h(context.WithValue(ctx, bridgedKey{}, &passed), event)
		taken := int64(0)
		if err == nil {
			taken = takenRecords(event, answer, p.started)
		}
		m.bridged.Add(taken)
		m.crossing.took(taken, passed.Load())
		return answer, err
	}
}

// takenRecords is how many records of an event the bridge has taken, by its answer,
// of those that came to Kinesis since then.
func takenRecords(event, answer []byte, since time.Time) int64 {
	var response events.KinesisEventResponse
	if len(answer) > 0 && json.Unmarshal(answer, &response) != nil {
		return 0
	}
	for _, failure := range response.BatchItemFailures {
		event, _, _ = bytes.Cut(event, []byte(`"sequenceNumber":"`+failure.ItemIdentifier+`"`))
	}
	from := float64(since.UnixMilli()) / 1000
	var taken int64
	for {
		_, rest, ok := bytes.Cut(event, eventArrived)
		if !ok {
			return taken
		}
		// The arrival is what follows, to the end of its object.
		digits, _, _ := bytes.Cut(rest[:min(len(rest), 32)], []byte("}"))
		if at, err := strconv.ParseFloat(string(digits), 64); err == nil && at >= from {
			taken++
		}
		event = rest
	}
}
