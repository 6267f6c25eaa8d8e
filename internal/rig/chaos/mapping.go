package chaos

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// The settings of the event source mapping are the stack's, except for a shorter
// window and no limit on retries.
const (
	batchWindow = 200 * time.Millisecond
	batchPause  = 20 * time.Millisecond // after a failure; it doubles with each further one
)

// openMappings opens the event source mappings of all streams with a tap to the bridge.
func (s *suite) openMappings() error {
	for _, one := range streamList {
		if !one.HasTap() {
			continue
		}
		m, err := s.aws.OpenMapping(cloud.MappingOptions{
			Stream: stream.ResourceName(deployment, one.Name), Window: batchWindow, Backoff: batchPause,
			Function: &bridgeInvoker{suite: s, stream: one, heads: make(map[string]head)},
		})
		if err != nil {
			return err
		}
		s.mappings = append(s.mappings, m)
	}
	return nil
}

// mapStreams runs the event source mappings of all streams.
func (s *suite) mapStreams(ctx context.Context) {
	var wg sync.WaitGroup
	for _, m := range s.mappings {
		wg.Go(func() { m.Run(ctx) })
	}
	wg.Wait()
}

// behind returns the number of bytes in Kinesis that the bridge has not delivered.
func (s *suite) behind() int64 {
	var behind int64
	for _, m := range s.mappings {
		behind += m.Behind()
	}
	return behind
}

// bridgeInvoker invokes the bridge for the mapping of a stream, and records what may
// be delivered twice. Safe for concurrent use.
type bridgeInvoker struct {
	*suite
	stream stream.Stream

	mu    sync.Mutex
	heads map[string]head // by shard
}

// head is the first record of a batch that was not delivered.
type head struct {
	sequence string
	// environments is the number of environments of the bridge that may not know
	// the record yet. started is the number of processes that were started.
	environments, started int
}

// Invoke invokes the bridge with an event.
func (b *bridgeInvoker) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	answer, err := b.functions.bridge.Invoke(ctx, event)
	var response events.KinesisEventResponse
	if err == nil {
		err = json.Unmarshal(answer, &response)
	}
	if err == nil && len(response.BatchItemFailures) == 0 && b.delivered == nil {
		return answer, nil
	}
	var batch events.KinesisEvent
	if err := json.Unmarshal(event, &batch); err != nil {
		return nil, err
	}
	taken := len(batch.Records)
	if err != nil {
		taken = 0
	}
	for _, failure := range response.BatchItemFailures {
		at := slices.IndexFunc(batch.Records, func(r events.KinesisEventRecord) bool {
			return r.Kinesis.SequenceNumber == failure.ItemIdentifier
		})
		if at < 0 {
			b.problems.add("the bridge named a record that was not in its batch: %q", failure.ItemIdentifier)
			at = 0
		}
		taken = min(taken, at)
	}
	b.aws.calls.undelivered(b.repeated(batch.Records[taken:], err))
	if b.delivered != nil {
		b.delivered(batch.Records[:taken], time.Now())
	}
	return answer, err
}

// repeated returns the number of records that may arrive again because left, the
// rest of a batch, was not delivered. An environment of the bridge may have sent all
// of it. When the same record fails again, an environment that knows it sends one
// packed record at a time.
func (b *bridgeInvoker) repeated(left []events.KinesisEventRecord, err error) int {
	if len(left) == 0 || err != nil {
		return len(left)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	shard, sequence, _ := strings.Cut(left[0].EventID, ":")
	started := b.functions.bridge.Started()
	h := b.heads[shard]
	if h.sequence != sequence {
		h = head{sequence: sequence, environments: b.settings.bridges, started: started}
	}
	h.environments += started - h.started - 1
	h.started = started
	b.heads[shard] = h
	if h.environments >= 0 {
		return len(left)
	}
	size := 0
	for i, r := range left {
		size += b.stream.Format.FramedLen(r.Kinesis.Data)
		if i > 0 && size > stream.MaxFramedBytes {
			return i
		}
	}
	return len(left)
}
