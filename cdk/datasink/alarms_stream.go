package datasink

import (
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

const (
	// maxWaitSeconds is the time that a record may wait in the queue. A sweep visits
	// every queue once a minute.
	maxWaitSeconds = 5 * minute
	// maxTapSeconds is the time that a reader of the tap may be behind. Kinesis keeps
	// records for a day or more.
	maxTapSeconds = 10 * minute
	// freshnessMargin is the time that Firehose may need beyond its buffering time.
	freshnessMargin = 10 * minute
)

// streamAlarms are the alarms of each stream. With tapAlarms they are three, which is the
// most: a stream has at most eight resources.
var streamAlarms = []alarm{
	{
		id: "oldest-record", metric: ours(metric.OldestRecordAge, theStream), statistic: maximum,
		over: fixed(maxWaitSeconds, fmt.Sprintf("%d min", maxWaitSeconds/minute)), in: spell{2, 3, minute},
		means: "Records of this stream wait in the queue, and the drainer does not move them. They are neither on the tap nor in the archive.",
		first: "search the drainer's log for drain_failed and throttled of this stream. If Kinesis throttles it, increase its shards, at most to twice their number in one deploy.",
	},
	{
		id: "firehose-freshness", metric: aws("Firehose", "DeliveryToS3.DataFreshness", resourceOf("DeliveryStreamName")), statistic: maximum,
		over: limit{
			fmt.Sprintf("`bufferSeconds` + %d min", freshnessMargin/minute),
			func(w watched) float64 { return float64(w.stream.BufferSeconds + freshnessMargin) },
		}, in: spell{2, 3, fiveMinutes},
		means: "Firehose does not write the records of this stream to the archive. It retries for 24 hours; after that the records are lost.",
		first: "read the log group of the Firehoses. Check that the bucket exists and that its policy allows the Firehose role to write.",
	},
}

// tapAlarms are the further alarms of a stream with a tap.
var tapAlarms = []alarm{
	{
		id: "iterator-age", metric: aws("Kinesis", "GetRecords.IteratorAgeMilliseconds", resourceOf("StreamName")), statistic: maximum,
		over: fixed(maxTapSeconds*1000, fmt.Sprintf("%d min", maxTapSeconds/minute)), in: spell{5, 5, minute},
		means: "A reader of this stream's tap is behind: the bridge, or another consumer that uses GetRecords. It loses the records that are older than the retention of the stream.",
		first: "search the bridge's log for undelivered and for errors of this stream, and check the metric ReadProvisionedThroughputExceeded. Use enhanced fan-out for busy taps, or increase the shards.",
	},
}
