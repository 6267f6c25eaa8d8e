package datasink

import (
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

const (
	// slowTapSeconds is far longer than the batching window of the bridge.
	slowTapSeconds = 12 * settings.BridgeWindow
	// maxBlockedSeconds is longer than the 15 minutes after which the bridge tries the
	// record behind a refused one.
	maxBlockedSeconds = 20 * minute
)

// serviceAlarms are the alarms of every deployment, in the order of the pipeline. An alarm
// watches one metric, because CloudWatch charges for every metric of an expression.
// Kinesis publishes throttling for each stream; instead of one alarm for each, the
// drainer counts the records that are throttled when it writes, and a throttled bridge
// has a high iterator age.
var serviceAlarms = []alarm{
	{
		id:    "fallback",
		means: "Ingest cannot push to Redis and writes direct records to the archive. Nothing is lost, but these records are not on the tap.",
		first: "search ingest's log for record_archived, which has the cause. Check that the cache is available and not full.",

		namespace: metric.Namespace, metric: metric.Archived("fallback").Name, statistic: "Sum", targets: theService,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
	{
		id:    "eviction-policy",
		means: "The eviction policy of Redis allows it to evict accepted records when it is full.",
		first: "set maxmemory-policy to noeviction.",

		namespace: metric.Namespace, metric: metric.EvictionPolicyUnsafe.Name, statistic: "Maximum", targets: theService,
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "backlog",
		means: "More records wait in the queues than the drainers of one stream are sized for.",
		first: "find the stream whose QueueDepth grows. If Kinesis throttles it, increase its shards. If not, search the drainer's log for drain_failed.",

		namespace: metric.Namespace, metric: metric.QueueDepth.Name, statistic: "Maximum", targets: theService,
		seconds: minute, datapoints: 5, periods: 5,
		limit: limit{
			fmt.Sprintf("`streamDrainers` × %d records", scaleOutRecords()),
			func(w watched) float64 { return float64(w.StreamDrainers * scaleOutRecords()) },
		},
	},
	{
		id:    "no-sweep",
		means: "No sweep has reported the state of the queues: the drainer does not run, or it cannot reach Redis. Records wait in the queue.",
		first: "read the last lines of the drainer's log. Check that its schedule is enabled and that the cache is available.",

		namespace: metric.Namespace, metric: metric.QueueDepth.Name, statistic: "SampleCount", targets: theService,
		seconds: minute, datapoints: 3, periods: 3, limit: fixed(1, "1"), below: true, missing: missingIsFailed,
	},
	{
		id:    "lost-records",
		means: "Redis has lost accepted records. Either a queue and its claims were empty while the counters said that records were left, or the counters themselves went back or vanished while records waited. In the second case the value is the last known backlog, which is an estimate. A loss before the first sweep of a drainer process, or of records that were accepted and lost between two sweeps, may remain unnoticed.",
		first: "search the drainer's log for records_lost, which has stream, count and bytes, and for queue_reset, which has stream and backlog. Compare the time with the events of the cache. The durability table says what each setting loses.",

		namespace: metric.Namespace, metric: metric.Lost.Name, statistic: "Sum", targets: theService,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "wake-dead-letters",
		means: "Drainers failed five times on a wake-up. No record is lost, because the sweep does the work, but something is wrong.",
		first: "search the drainer's log of that time for errors. Then purge the dead-letter queue.",

		namespace: "AWS/SQS", metric: "ApproximateNumberOfMessagesVisible", statistic: "Maximum",
		targets: one(func(w watched) []*string { return dims("QueueName", wakeDeadLetters(w.Settings)) }),
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "write-throttling",
		means: "Kinesis, or Firehose for a stream without a tap, throttles writes, and the queue of a stream grows.",
		first: "search the drainer's log for throttled, which names the stream. Increase its shards, at most to twice their number in one deploy, or use capacity on-demand. A constant partition key loads only one shard. For a stream without a tap, increase the quota of its Firehose.",

		namespace: metric.Namespace, metric: metric.Throttled.Name, statistic: "Sum", targets: theService,
		seconds: minute, datapoints: 10, periods: 15, limit: fixed(0, "0"),
	},
	{
		id:    "dead-letters",
		means: "Records can never be delivered. They are in the archive under failed/.",
		first: "search the logs of the drainer and the bridge for records_put_aside, which has stream, key and reason. List the dead letters with datasink failed ls.",

		namespace: metric.Namespace, metric: metric.DeadLettered.Name, statistic: "Sum", targets: theService,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "service-dead-letters",
		means: "An AWS service has written dead letters to the archive: Lambda under aws/lambda/ when the bridge could not deliver a batch until its records were too old, or Firehose under failed/firehose/.",
		first: "list them with datasink failed ls, and search the bridge's log for undelivered. Send them again with datasink failed redrive.",

		namespace: "AWS/S3", metric: "PutRequests", statistic: "Sum", targets: failedFolders,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "function-errors",
		means: "Invocations of this function end with errors or timeouts.",
		first: "read the log of the function. Errors of ingest are 500 for clients; with errors of the drainer, records wait in the queue; with errors of the bridge, they wait on the tap.",

		namespace: "AWS/Lambda", metric: "Errors", statistic: "Sum", targets: eachOf("ingest", "drainer", "bridge"),
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
	{
		id:    "function-throttles",
		means: "Lambda throttles this function, and records wait in the queue or on the tap.",
		first: "increase the account's quota of concurrent executions, or find the function that uses it up.",

		namespace: "AWS/Lambda", metric: "Throttles", statistic: "Sum", targets: eachOf("drainer", "bridge"),
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
}

// bridgeAlarms are the alarms of the bridge, in a deployment with a tap.
var bridgeAlarms = []alarm{
	{
		id:    "read-throttling",
		means: "The bridge is behind on a stream. Either other taps use the read capacity of the shards (2 MB/s and 5 reads a second each), or Firehose does not accept the records.",
		first: "find the stream with ReadProvisionedThroughputExceeded on the dashboard, and use enhanced fan-out for its taps. If there is none, search the bridge's log for undelivered.",

		namespace: "AWS/Lambda", metric: "IteratorAge", statistic: "Maximum", targets: theFunction("bridge"),
		seconds: minute, datapoints: 10, periods: 15, limit: fixed(slowTapSeconds*1000, fmt.Sprintf("%d s", slowTapSeconds)),
	},
	{
		id:    "blocked-shard",
		means: "Firehose has refused the first records of a shard for longer than the bridge waits before it makes one of them a dead letter. Firehose accepts nothing of this shard, and its records wait on the tap.",
		first: "search the bridge's log for undelivered: it has stream, first sequence number and the error of Firehose.",

		namespace: metric.Namespace, metric: metric.BlockedAge.Name, statistic: "Maximum", targets: theService,
		seconds: minute, datapoints: 5, periods: 15, limit: fixed(maxBlockedSeconds, fmt.Sprintf("%d min", maxBlockedSeconds/minute)),
	},
	{
		id:    "destination-failures",
		means: "Lambda could not write the dead letters of the bridge to the archive. These records are only on the tap, until its retention ends.",
		first: "check that the bucket exists, and that the role of the bridge may write under aws/lambda/.",

		namespace: "AWS/Lambda", metric: "DestinationDeliveryFailures", statistic: "Sum", targets: theFunction("bridge"),
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
}

// scaleOutRecords is the depth up to which one drainer serves a queue.
func scaleOutRecords() int {
	for _, s := range env.Settings(env.ParseDrainer) {
		if s.Name == env.ScaleOutRecords {
			var n int
			if _, err := fmt.Sscan(s.Default, &n); err == nil {
				return n
			}
		}
	}
	panic("no default of " + env.ScaleOutRecords)
}
