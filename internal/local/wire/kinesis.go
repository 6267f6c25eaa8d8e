package wire

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// The sizes of pages.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
const (
	listedStreams   = 100
	describedShards = 100
	listedShards    = 1000
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

func fromSeconds(s float64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s * 1000))
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

type recordResult struct {
	SequenceNumber string `json:",omitempty"`
	ShardID        string `json:"ShardId,omitempty"`
	RecordID       string `json:"RecordId,omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
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
	records, failed := make([]recordResult, len(results)), 0
	for i, r := range results {
		records[i] = recordResult{SequenceNumber: r.SequenceNumber, ShardID: r.ShardID}
		if r.Err != nil {
			records[i] = recordResult{ErrorCode: r.Err.Code, ErrorMessage: r.Err.Message}
			failed++
		}
	}
	return map[string]any{"FailedRecordCount": failed, "Records": records, "EncryptionType": "NONE"}, nil
}

type listStreamsInput struct {
	Limit                    int
	ExclusiveStartStreamName string
	NextToken                string
}

func (k kinesisAPI) listStreams(ctx context.Context, in listStreamsInput) (any, error) {
	names, err := k.ListStreams(ctx)
	if err != nil {
		return nil, err
	}
	after := max(in.ExclusiveStartStreamName, in.NextToken)
	names = slices.DeleteFunc(names, func(name string) bool { return name <= after })
	names, more := page(names, in.Limit, listedStreams)
	out := map[string]any{"StreamNames": names, "HasMoreStreams": more}
	if more {
		out["NextToken"] = names[len(names)-1]
	}
	return out, nil
}

// page returns the first of all, up to limit or, if that is 0, up to byDefault.
func page[T any](all []T, limit, byDefault int) (first []T, more bool) {
	if limit <= 0 || limit > byDefault {
		limit = byDefault
	}
	return all[:min(limit, len(all))], len(all) > limit
}

// description is what DescribeStream and DescribeStreamSummary have in common.
func description(d cloud.Description) map[string]any {
	mode := "PROVISIONED"
	if d.OnDemand {
		mode = "ON_DEMAND"
	}
	return map[string]any{
		"StreamName": d.Name, "StreamARN": d.ARN, "StreamStatus": "ACTIVE",
		"StreamModeDetails": map[string]string{"StreamMode": mode}, "StreamCreationTimestamp": seconds(d.CreatedAt),
		"RetentionPeriodHours": d.RetentionHours, "EncryptionType": "NONE",
		"EnhancedMonitoring": []map[string]any{{"ShardLevelMetrics": []string{}}},
	}
}

type describeStreamInput struct {
	streamName
	Limit                 int
	ExclusiveStartShardID string `json:"ExclusiveStartShardId"`
}

func (k kinesisAPI) describeStream(ctx context.Context, in describeStreamInput) (any, error) {
	d, err := k.Describe(ctx, "DescribeStream", in.name())
	if err != nil {
		return nil, err
	}
	shards, more := page(shardsAfter(d.Shards, in.ExclusiveStartShardID), in.Limit, describedShards)
	out := description(d)
	out["Shards"], out["HasMoreShards"] = shardList(shards), more
	return map[string]any{"StreamDescription": out}, nil
}

func (k kinesisAPI) describeStreamSummary(ctx context.Context, in streamName) (any, error) {
	d, err := k.Describe(ctx, "DescribeStreamSummary", in.name())
	if err != nil {
		return nil, err
	}
	out := description(d)
	out["OpenShardCount"], out["ConsumerCount"] = len(openShards(d.Shards)), 0
	return map[string]any{"StreamDescriptionSummary": out}, nil
}

type listShardsInput struct {
	streamName
	MaxResults            int
	NextToken             string
	ExclusiveStartShardID string `json:"ExclusiveStartShardId"`
	ShardFilter           struct {
		Type    string
		ShardID string `json:"ShardId"`
	}
}

// listShards lists open and closed shards. A token is the stream and the last
// shard of the page before.
func (k kinesisAPI) listShards(ctx context.Context, in listShardsInput) (any, error) {
	name, after := in.name(), in.ExclusiveStartShardID
	if in.NextToken != "" {
		name, after, _ = strings.Cut(in.NextToken, " ")
	}
	d, err := k.Describe(ctx, "ListShards", name)
	if err != nil {
		return nil, err
	}
	shards := d.Shards
	switch in.ShardFilter.Type {
	case "AT_LATEST":
		shards = openShards(shards)
	case "AFTER_SHARD_ID":
		after = max(after, in.ShardFilter.ShardID)
	}
	shards, more := page(shardsAfter(shards, after), in.MaxResults, listedShards)
	out := map[string]any{"Shards": shardList(shards)}
	if more {
		out["NextToken"] = name + " " + shards[len(shards)-1].ID
	}
	return out, nil
}

func openShards(shards []cloud.ShardDescription) []cloud.ShardDescription {
	return slices.DeleteFunc(slices.Clone(shards), func(s cloud.ShardDescription) bool { return s.EndingSequenceNumber != "" })
}

func shardsAfter(shards []cloud.ShardDescription, id string) []cloud.ShardDescription {
	return slices.DeleteFunc(slices.Clone(shards), func(s cloud.ShardDescription) bool { return s.ID <= id })
}

func shardList(shards []cloud.ShardDescription) []any {
	list := make([]any, len(shards))
	for i, s := range shards {
		numbers := map[string]string{"StartingSequenceNumber": s.StartingSequenceNumber}
		if s.EndingSequenceNumber != "" {
			numbers["EndingSequenceNumber"] = s.EndingSequenceNumber
		}
		list[i] = map[string]any{
			"ShardId": s.ID, "SequenceNumberRange": numbers,
			"HashKeyRange": map[string]string{"StartingHashKey": s.StartingHashKey, "EndingHashKey": s.EndingHashKey},
		}
	}
	return list
}

type getShardIteratorInput struct {
	streamName
	ShardID                string `json:"ShardId"`
	ShardIteratorType      string
	StartingSequenceNumber string
	Timestamp              float64
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
