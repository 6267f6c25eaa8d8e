package wire

import (
	"context"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// streamName is the stream of a call: its name, or its ARN.
type streamName struct{ StreamName, StreamARN string }

func (s streamName) name() string {
	if s.StreamName != "" {
		return s.StreamName
	}
	_, name, _ := strings.Cut(s.StreamARN, ":stream/")
	return name
}

// seconds is a time as the JSON protocols write it: seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// maxSeconds bounds the times that a caller may send. It is in the year 33658.
const maxSeconds = 1e12

// fromSeconds returns the time of s. No time is the zero time.
func fromSeconds(s *float64) time.Time {
	if s == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(1000 * max(0, min(*s, maxSeconds))))
}

func (h *server) addKinesis(k *cloud.Kinesis, readOnly bool) {
	const service = "Kinesis_20131202."
	api := kinesisAPI{k}
	h.operations[service+"ListStreams"] = typed(api.listStreams)
	h.operations[service+"DescribeStream"] = typed(api.describeStream)
	h.operations[service+"DescribeStreamSummary"] = typed(api.describeStreamSummary)
	h.operations[service+"ListShards"] = typed(api.listShards)
	h.operations[service+"GetShardIterator"] = typed(api.getShardIterator)
	h.operations[service+"GetRecords"] = typed(api.getRecords)
	if !readOnly {
		h.operations[service+"PutRecords"] = typed(api.putRecords)
	}
}

type kinesisAPI struct{ *cloud.Kinesis }

type putRecordsInput struct {
	streamName
	Records []struct {
		Data         []byte
		PartitionKey string
	}
}

func (k kinesisAPI) putRecords(ctx context.Context, in putRecordsInput) (any, error) {
	entries := make([]sink.Entry, len(in.Records))
	for i, r := range in.Records {
		entries[i] = sink.Entry{PartitionKey: r.PartitionKey, Data: r.Data}
	}
	results, err := k.PutRecords(ctx, in.name(), entries)
	if err != nil {
		return nil, err
	}
	records, failed := putResults(results, func(r cloud.PutResult) putResult { return putResult{SequenceNumber: r.ID, ShardID: r.ShardID} })
	return map[string]any{"FailedRecordCount": failed, "Records": records, "EncryptionType": "NONE"}, nil
}

type getShardIteratorInput struct {
	streamName
	ShardID                string `json:"ShardId"`
	ShardIteratorType      string
	StartingSequenceNumber string
	Timestamp              *float64
}

func (k kinesisAPI) getShardIterator(ctx context.Context, in getShardIteratorInput) (any, error) {
	iterator, err := k.GetShardIterator(ctx, in.name(), in.ShardID, cloud.IteratorStart{
		Type: in.ShardIteratorType, SequenceNumber: in.StartingSequenceNumber, Timestamp: fromSeconds(in.Timestamp),
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{"ShardIterator": iterator}, nil
}

type getRecordsInput struct {
	ShardIterator string
	Limit         int
}

type recordOutput struct {
	SequenceNumber              string
	ApproximateArrivalTimestamp float64
	PartitionKey                string
	Data                        []byte
}

func (k kinesisAPI) getRecords(ctx context.Context, in getRecordsInput) (any, error) {
	read, err := k.GetRecords(ctx, in.ShardIterator, in.Limit)
	if err != nil {
		return nil, err
	}
	records := make([]recordOutput, len(read.Records))
	for i, r := range read.Records {
		records[i] = recordOutput{r.SequenceNumber, seconds(r.ArrivedAt), r.PartitionKey, r.Data}
	}
	out := map[string]any{"Records": records, "MillisBehindLatest": read.Behind.Milliseconds()}
	if read.NextIterator != "" {
		out["NextShardIterator"] = read.NextIterator
	} else {
		out["ChildShards"] = []any{}
	}
	return out, nil
}
