package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

// The settings of the event source mapping are the stack's, except for a shorter
// window and no limit on retries.
const (
	batchRecords = 10_000
	batchBytes   = 4 << 20 // of data; an event has at most 6 MB, in base64
	batchWindow  = 200 * time.Millisecond
	batchPause   = 100 * time.Millisecond // after a failure
)

// mapStreams is the event source mapping of all streams: each shard is read in
// order, and the bridge gets one batch of a shard at a time.
func (s *suite) mapStreams(ctx context.Context) {
	var wg sync.WaitGroup
	for _, one := range streamList {
		resource := stream.ResourceName(deployment, one.Name)
		for _, shard := range s.aws.server.Kinesis.Shards(resource) {
			m := &mapping{suite: s, stream: one, resource: resource, shard: shard}
			wg.Go(func() { m.run(ctx) })
		}
	}
	wg.Wait()
}

type mapping struct {
	*suite
	stream   stream.Stream
	resource string
	shard    *awstest.Shard
	position int64 // of the first record that was not delivered
	head     head  // the last record that failed
	limit    int   // records of the next batch after a bisection; 0: no limit
}

func (m *mapping) run(ctx context.Context) {
	for ctx.Err() == nil {
		next, grown := m.shard.Next()
		if next == m.position {
			select {
			case <-ctx.Done():
			case <-grown:
				sleep(ctx, batchWindow)
			}
			continue
		}
		m.step(ctx)
	}
}

// step invokes the bridge with a batch. The rest of a batch that was delivered in
// part is sent again. A batch that failed is split in two.
func (m *mapping) step(ctx context.Context) {
	most := batchRecords
	if m.limit > 0 {
		most = m.limit
	}
	batch := m.shard.Read(m.position, most, batchBytes)
	taken, err := m.invoke(ctx, batch)
	m.aws.calls.undelivered(m.repeated(batch[taken:], err))
	if m.delivered != nil {
		m.delivered(batch[:taken], time.Now())
	}
	m.position += int64(taken)
	m.aws.passed(m.shard, m.position)
	switch {
	case err != nil:
		m.limit = max(1, len(batch)/2)
	case taken == len(batch):
		m.limit = 0
	}
	if taken < len(batch) {
		sleep(ctx, batchPause)
	}
}

// repeated returns the number of records that may arrive again because left, the
// rest of a batch, was not delivered. An environment of the bridge may have sent all
// of it. When the same record fails again, an environment that knows it sends one
// packed record at a time.
func (m *mapping) repeated(left []awstest.Record, err error) int {
	if len(left) == 0 || err != nil {
		return len(left)
	}
	if started := m.functions.bridge.Started(); m.head.sequence != left[0].SequenceNumber {
		m.head = head{sequence: left[0].SequenceNumber, environments: m.settings.bridges, started: started}
	} else {
		m.head.environments += started - m.head.started
		m.head.started = started
	}
	if m.head.environments--; m.head.environments >= 0 {
		return len(left)
	}
	size := 0
	for i, r := range left {
		size += m.stream.Format.FramedLen(r.Data)
		if i > 0 && size > stream.MaxFramedBytes {
			return i
		}
	}
	return len(left)
}

// head is the first record of a batch that was not delivered.
type head struct {
	sequence string
	// environments is the number of environments of the bridge that may not know
	// the record yet. started is the number of processes that were started.
	environments, started int
}

// invoke returns the number of records, from the first one on, that the bridge
// delivered.
func (m *mapping) invoke(ctx context.Context, batch []awstest.Record) (taken int, err error) {
	answer, err := m.functions.bridge.Invoke(ctx, m.event(batch))
	if err != nil {
		return 0, err
	}
	var response events.KinesisEventResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		return 0, fmt.Errorf("reading the bridge's answer: %w", err)
	}
	taken = len(batch)
	for _, failure := range response.BatchItemFailures {
		at := -1
		for i := range batch {
			if batch[i].SequenceNumber == failure.ItemIdentifier {
				at = i
			}
		}
		if at < 0 {
			m.problems.add("the bridge named a record that was not in its batch: %q", failure.ItemIdentifier)
			return 0, fmt.Errorf("reading the bridge's answer: no record %q", failure.ItemIdentifier)
		}
		taken = min(taken, at)
	}
	return taken, nil
}

// event builds a Kinesis event as Lambda does.
func (m *mapping) event(batch []awstest.Record) []byte {
	records := make([]lambdatest.KinesisRecord, len(batch))
	for i, r := range batch {
		records[i] = lambdatest.KinesisRecord{
			Stream: m.resource, Shard: m.shard.ID, Sequence: r.SequenceNumber, Key: r.PartitionKey, Arrived: r.ArrivedAt, Data: r.Data,
		}
	}
	return lambdatest.KinesisEvent(records...)
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
