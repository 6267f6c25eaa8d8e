package remote

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Lag is how far the bridge and the Firehose of a stream are behind, in seconds. A
// nil value is unknown.
type Lag struct {
	// Bridge is the time between the arrival of a record on the tap and its reading;
	// 0 if all records are read.
	Bridge *float64 `json:"bridgeLagSeconds,omitempty"`
	// Firehose is the age of the oldest record in the Firehose.
	Firehose *float64 `json:"firehoseFreshnessSeconds,omitempty"`
	// Incoming is the number of records that arrived on the tap in the newest minute
	// for which it is known.
	Incoming *float64 `json:"-"`
}

// TapIsEmpty reports whether the bridge has read all records of the tap, and none
// arrived since. A tap of which the lag is unknown is not known to be empty.
func (l Lag) TapIsEmpty() bool {
	return l.Bridge != nil && *l.Bridge == 0 && (l.Incoming == nil || *l.Incoming == 0)
}

const (
	// lagWindow is the period of which CloudWatch returns data points. Firehose
	// publishes its metrics every five minutes.
	lagWindow = 15 * time.Minute
	// maxQueries is the maximum number of queries in one call of GetMetricData.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
	maxQueries = 500
)

// Lags returns the lag of each stream from CloudWatch. A value without a data point in
// the last 15 minutes is nil. The iterator age is of all readers of the tap that call
// GetRecords, so it can be larger than the lag of the bridge.
func Lags(ctx context.Context, client cloudwatch.GetMetricDataAPIClient, deployment string, streams []string) (map[string]Lag, error) {
	lags := make(map[string]Lag, len(streams))
	for some := range slices.Chunk(streams, maxQueries/3) {
		var queries []types.MetricDataQuery
		for i, name := range some {
			resource := stream.ResourceName(deployment, name)
			queries = append(queries,
				newestOf(bridgeID(i), "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", resource, "Maximum"),
				newestOf(firehoseID(i), "AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", resource, "Maximum"),
				newestOf(incomingID(i), "AWS/Kinesis", "IncomingRecords", "StreamName", resource, "Sum"))
		}
		newest, err := newestPoints(ctx, client, queries)
		if err != nil {
			return nil, fmt.Errorf("reading metrics of %s: %w", deployment, err)
		}
		for i, name := range some {
			l := Lag{Bridge: newest[bridgeID(i)], Firehose: newest[firehoseID(i)], Incoming: newest[incomingID(i)]}
			if l.Bridge != nil {
				*l.Bridge /= 1000
			}
			lags[name] = l
		}
	}
	return lags, nil
}

func bridgeID(i int) string   { return fmt.Sprintf("bridge%d", i) }
func firehoseID(i int) string { return fmt.Sprintf("firehose%d", i) }
func incomingID(i int) string { return fmt.Sprintf("incoming%d", i) }

func newestOf(id, namespace, metric, dimension, value, statistic string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: &types.Metric{
			Namespace: &namespace, MetricName: &metric,
			Dimensions: []types.Dimension{{Name: &dimension, Value: &value}},
		},
		Period: aws.Int32(60), Stat: &statistic,
	}}
}

// newestPoints returns the newest data point of each query by its id.
func newestPoints(ctx context.Context, client cloudwatch.GetMetricDataAPIClient, queries []types.MetricDataQuery) (map[string]*float64, error) {
	now := time.Now()
	pages := cloudwatch.NewGetMetricDataPaginator(client, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-lagWindow)), EndTime: &now,
		MetricDataQueries: queries, ScanBy: types.ScanByTimestampDescending,
	})
	newest := make(map[string]*float64)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.MetricDataResults {
			// The later pages of a query have older data points.
			if id := aws.ToString(r.Id); newest[id] == nil && len(r.Values) > 0 {
				newest[id] = &r.Values[0]
			}
		}
	}
	return newest, nil
}
