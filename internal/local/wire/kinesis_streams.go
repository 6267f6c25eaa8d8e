package wire

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// The sizes of pages.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
const (
	listedStreams   = 100
	describedShards = 100
	listedShards    = 1000
)

// maxLimit is the largest limit that a caller may set for a page.
const maxLimit = 10_000

// page returns the first of all, up to limit, or up to most if limit is greater or nil.
func page[T any](all []T, limit *int, most int) (first []T, more bool, err error) {
	if limit != nil {
		if *limit < 1 || *limit > maxLimit {
			return nil, false, validation("a limit of %d, want 1 to %d", *limit, maxLimit)
		}
		most = min(most, *limit)
	}
	return all[:min(most, len(all))], len(all) > most, nil
}

// validation returns the error for a value that is outside the range of its field.
func validation(format string, args ...any) error {
	return &cloud.Error{Code: "ValidationException", Message: "1 validation error detected: " + fmt.Sprintf(format, args...)}
}

type listStreamsInput struct {
	Limit                    *int
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
	names, more, err := page(names, in.Limit, listedStreams)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"StreamNames": names, "HasMoreStreams": more}
	if more {
		out["NextToken"] = names[len(names)-1]
	}
	return out, nil
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
	Limit                 *int
	ExclusiveStartShardID string `json:"ExclusiveStartShardId"`
}

func (k kinesisAPI) describeStream(ctx context.Context, in describeStreamInput) (any, error) {
	d, err := k.Describe(ctx, "DescribeStream", in.name())
	if err != nil {
		return nil, err
	}
	shards, more, err := page(shardsAfter(d.Shards, in.ExclusiveStartShardID), in.Limit, describedShards)
	if err != nil {
		return nil, err
	}
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
	MaxResults            *int
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
		if name != "" || after != "" {
			return nil, invalidArgument("NextToken and StreamName or ExclusiveStartShardId cannot be provided together.")
		}
		var ok bool
		if name, after, ok = strings.Cut(in.NextToken, " "); !ok {
			return nil, invalidArgument("NextToken is invalid.")
		}
	}
	d, err := k.Describe(ctx, "ListShards", name)
	if err != nil {
		return nil, err
	}
	shards := d.Shards
	switch in.ShardFilter.Type {
	case "", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_TIMESTAMP", "FROM_TIMESTAMP":
	case "AT_LATEST":
		shards = openShards(shards)
	case "AFTER_SHARD_ID":
		after = max(after, in.ShardFilter.ShardID)
	default:
		return nil, validation("the type %q of ShardFilter does not exist", in.ShardFilter.Type)
	}
	shards, more, err := page(shardsAfter(shards, after), in.MaxResults, listedShards)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"Shards": shardList(shards)}
	if more {
		out["NextToken"] = name + " " + shards[len(shards)-1].ID
	}
	return out, nil
}

func invalidArgument(message string) error {
	return &cloud.Error{Code: cloud.InvalidArgument, Message: message}
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
