package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func newBridge(service sink.Service) *bridge.Handler {
	return bridge.New(bridge.Config{
		Bridge: env.Bridge{Base: env.Base{Name: deployment}}, Streams: streams(1),
		Firehose: bridge.FirehoseWriter(service),
		Log:      slog.New(slog.NewJSONHandler(io.Discard, nil)), // writing log lines is part of the work
	})
}

// bridgeRate measures the MB of events a second, in full batches of records of 1 KiB
// and of 200 bytes.
func bridgeRate(l *lab, rounds int) ([]figure, error) {
	h := newBridge(sink.NewFirehose(firehose.NewFromConfig(l.config())))
	client := firehose.NewFromConfig(l.floorConfig())
	sides := func(name string, size int) [2]side {
		event, _ := kinesisEvent(size, fullBatch)
		mb := float64(len(event)) / 1e6
		return [2]side{
			l.rateOf(name, "MB/s", l.few(20), mb, func() error { return bridgeOurs(h, event) }),
			l.rateOf(name, "MB/s", l.few(20), mb, func() error { return bridgeFloor(client, event) }),
		}
	}
	return compare(rounds, sides("bridge.rate", 1<<10), sides("bridge.rate.200b", 200))
}

func bridgeOurs(h *bridge.Handler, event []byte) error {
	ctx, cancel := invocation(60)
	defer cancel()
	out, err := h.Invoke(ctx, event)
	if err == nil && string(out) != `{"batchItemFailures":[]}` {
		err = errUnexpected
	}
	return err
}

// bridgeFloor decodes an event with the fastest decoder, which also decodes base64,
// and sends the bodies in as few Firehose records as possible.
func bridgeFloor(client *firehose.Client, event []byte) error {
	var e kinesisRecords
	if err := json.Unmarshal(event, &e, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return err
	}
	name := stream.ResourceName(deployment, orders)
	in := firehose.PutRecordBatchInput{DeliveryStreamName: &name}
	var open []byte
	for i, bytes := 0, 0; ; i++ {
		last := i == len(e.Records)
		if len(open) > 0 && (last || len(open)+len(e.Records[i].Kinesis.Data)+1 > stream.MaxFramedBytes) {
			in.Records = append(in.Records, types.Record{Data: open})
			bytes += len(open)
			open = nil
		}
		if len(in.Records) > 0 && (last || bytes+stream.MaxFramedBytes > sink.FirehoseLimits.CallBytes) {
			if _, err := client.PutRecordBatch(context.Background(), &in); err != nil {
				return err
			}
			in.Records, bytes = nil, 0
		}
		if last {
			return nil
		}
		if open == nil {
			open = make([]byte, 0, stream.MaxFramedBytes)
		}
		open = append(append(open, e.Records[i].Kinesis.Data...), '\n')
	}
}

// billing is a Firehose that counts the bytes that it would bill.
type billing struct{ billed, real int }

// billedUnit is the unit in bytes to which Firehose rounds every record up.
const billedUnit = 5 << 10

func (b *billing) Put(_ context.Context, _ string, entries []sink.Entry) ([]sink.Failure, error) {
	for _, e := range entries {
		b.real += len(e.Data)
		b.billed += (len(e.Data) + billedUnit - 1) / billedUnit * billedUnit
	}
	return nil, nil
}

// bridgeBilled measures the bytes that Firehose bills for a full batch of 200-byte
// records. The floor is the bytes themselves.
func bridgeBilled(*lab, int) ([]figure, error) {
	event, _ := kinesisEvent(200, fullBatch)
	var b billing
	if err := bridgeOurs(newBridge(&b), event); err != nil {
		return nil, err
	}
	return []figure{figureOf("bridge.billed", "bytes", float64(b.billed), float64(b.real))}, nil
}
