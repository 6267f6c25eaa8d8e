package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/redis/go-redis/v9"
)

// drainDirect drains records of 1 KiB of a stream without a tap in one invocation:
// from the queue to Firehose, packed. The floor does the same with the smallest loop.
func drainDirect(l *lab, rounds int) ([]figure, error) {
	const name, size = "drain.direct", 1 << 10
	untapped, err := stream.Parse([]byte(`{"streams":[{"name":"` + orders + `","tap":false}]}`))
	if err != nil {
		return nil, err
	}
	h, err := l.newDrainer(untapped)
	if err != nil {
		return nil, err
	}
	n, body := l.few(60_000), randomBody(size)
	packed := (n + floorRecords - 1) / floorRecords // each claim is one packed record
	filled := func(value []byte) func() error {
		return func() error { return l.fill(queueKey(orders), n, func(int) []byte { return value }) }
	}
	return compare(rounds, [2]side{
		l.rate(name, n, packed, filled(envelopeOf(orders, body)), func() error { return sweep(h) }),
		l.rate(name, n, packed, filled(body), newPackingDrainer(l).drain),
	})
}

// newPackingDrainer returns a floorDrainer that puts each claim to Firehose as one
// record of lines.
func newPackingDrainer(l *lab) *floorDrainer {
	client, name := firehose.NewFromConfig(l.floorConfig()), stream.ResourceName(deployment, orders)
	put := func(ctx context.Context, records []string) error {
		size := len(records)
		for _, r := range records {
			size += len(r)
		}
		data := make([]byte, 0, size)
		for _, r := range records {
			data = append(append(data, r...), '\n')
		}
		_, err := client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &name, Records: []types.Record{{Data: data}}})
		return err
	}
	return &floorDrainer{redis: l.floorClient(), claim: redis.NewScript(floorClaim), workers: 8, put: put}
}
