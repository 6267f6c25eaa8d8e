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

// scaleOutRecords is the depth up to which one drainer serves a queue.
var scaleOutRecords = env.Defaults(env.ParseDrainer).ScaleOutRecords

// serviceAlarms are the alarms of every deployment, in the order of the pipeline. An alarm
// watches one metric, because CloudWatch charges for every metric of an expression.
// Kinesis publishes throttling for each stream; instead of one alarm for each, the
// drainer counts the records that are throttled when it writes, and a throttled bridge
// has a high iterator age.
var serviceAlarms = []alarm{
	{
		id: "fallback", metric: ours(metric.Archived("fallback"), theService), statistic: sum, over: zero, in: spell{3, 5, minute},
		means: "Ingest cannot push to Redis and writes direct records to the archive. Nothing is lost, but these records are not on the tap.",
		first: "search ingest's log for record_archived, which has the cause. Check that the cache is available and not full.",
	},
	{
		id: "eviction-policy", metric: ours(metric.EvictionPolicyUnsafe, theService), statistic: maximum, over: zero, in: spell{1, 1, minute},
		means: "The eviction policy of Redis allows it to evict keys when it is full. Accepted records would be lost then.",
		first: "set maxmemory-policy to noeviction.",
	},
	{
		id: "backlog", metric: ours(metric.QueueDepth, theService), statistic: maximum, in: spell{5, 5, minute},
		over: limit{
			fmt.Sprintf("`streamDrainers` × %d records", scaleOutRecords),
			func(w watched) float64 { return float64(w.StreamDrainers * scaleOutRecords) },
		},
		means: "More records wait in the queues than the drainers of one stream are sized for. These records are late. If the cache becomes full, new records become direct records.",
		first: "find the stream whose QueueDepth grows. If Kinesis throttles it, increase its shards. If not, search the drainer's log for drain_failed.",
	},
	{
		id: "no-sweep", metric: ours(metric.QueueDepth, theService), absent: true, in: spell{3, 3, minute},
		means: "No sweep has reported the state of the queues: the drainer does not run, or it cannot reach Redis. Records wait in the queue.",
		first: "read the last lines of the drainer's log. Check that its schedule is enabled and that the cache is available.",
	},
	{
		id: "lost-records", metric: ours(metric.Lost, theService), statistic: sum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "Redis has lost accepted records: a queue and its claims were empty while the counters said that records were left, or the counters themselves went back or vanished while records waited. In the second case the value is an estimate, the last known backlog. A loss before the first sweep of a drainer process, or between two sweeps, may remain unnoticed.",
		first: "search the drainer's log for records_lost, which has stream, count and bytes, and for queue_reset, which has stream and backlog. Compare the time with the events of the cache. The durability table says what each setting loses.",
	},
	{
		id: "wake-dead-letters", metric: aws("SQS", "ApproximateNumberOfMessagesVisible", theWakeDeadLetters), statistic: maximum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "Drainers failed five times on a wake-up. No record is lost: the next sweep drains the queue, so its records are up to a minute late.",
		first: "search the drainer's log of that time for errors. Then purge the dead-letter queue.",
	},
	{
		id: "write-throttling", metric: ours(metric.Throttled, theService), statistic: sum, over: zero, in: spell{10, 15, minute},
		means: "Kinesis, or Firehose for a stream without a tap, throttles writes, and the queue of a stream grows. Its records are late.",
		first: "search the drainer's log for throttled, which names the stream. Increase its shards, at most to twice their number in one deploy, or use capacity on-demand. A constant partition key loads only one shard. For a stream without a tap, increase the quota of its Firehose.",
	},
	{
		id: "dead-letters", metric: ours(metric.DeadLettered, theService), statistic: sum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "Records can never be delivered. They are in the archive under failed/.",
		first: "search the logs of the drainer and the bridge for records_put_aside, which has stream, key and reason. List the dead letters with datasink failed ls.",
	},
	{
		id: "service-dead-letters", metric: source{"AWS/S3", "PutRequests", failedFolders}, statistic: sum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "An AWS service has written dead letters to the archive: Lambda under aws/lambda/ when the bridge could not deliver a batch until its records were too old, or Firehose under failed/firehose/. These records are not in the folder of their stream.",
		first: "list them with datasink failed ls, and search the bridge's log for undelivered. Send them again with datasink failed redrive.",
	},
	{
		id: "function-errors", metric: source{"AWS/Lambda", "Errors", eachOf("ingest", "drainer", "bridge")}, statistic: sum, over: zero, in: spell{3, 5, minute},
		means: "Invocations of this function end with errors or timeouts. If ingest fails, clients get 500. If the drainer fails, records wait in the queue; if the bridge fails, they wait on the tap.",
		first: "read the log of the function.",
	},
	{
		id: "function-throttles", metric: source{"AWS/Lambda", "Throttles", eachOf("drainer", "bridge")}, statistic: sum, over: zero, in: spell{3, 5, minute},
		means: "Lambda throttles this function, and records wait in the queue or on the tap.",
		first: "increase the account's quota of concurrent executions, or find the function that uses it up.",
	},
}

// bridgeAlarms are the alarms of the bridge, in a deployment with a tap.
var bridgeAlarms = []alarm{
	{
		id: "read-throttling", metric: aws("Lambda", "IteratorAge", theFunction(bridgeFunction)), statistic: maximum,
		over: fixed(slowTapSeconds*1000, fmt.Sprintf("%d s", slowTapSeconds)), in: spell{10, 15, minute},
		means: "The bridge is behind on a stream, and the records of the stream arrive late in the archive. Either other taps use the read capacity of the shards (2 MB/s and 5 reads a second each), or Firehose does not accept the records.",
		first: "find the stream with ReadProvisionedThroughputExceeded on the dashboard, and use enhanced fan-out for its taps. If there is none, search the bridge's log for undelivered.",
	},
	{
		id: "blocked-shard", metric: ours(metric.BlockedAge, theService), statistic: maximum,
		over: fixed(maxBlockedSeconds, fmt.Sprintf("%d min", maxBlockedSeconds/minute)), in: spell{5, 15, minute},
		means: "Firehose has refused the first records of a shard for longer than the bridge waits before it makes one of them a dead letter. Firehose accepts nothing of this shard, and its records wait on the tap.",
		first: "search the bridge's log for undelivered: it has stream, first sequence number and the error of Firehose.",
	},
	{
		id: "destination-failures", metric: aws("Lambda", "DestinationDeliveryFailures", theFunction(bridgeFunction)), statistic: sum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "Lambda could not write the dead letters of the bridge to the archive. These records are only on the tap, until its retention ends.",
		first: "check that the bucket exists, and that the role of the bridge may write under aws/lambda/.",
	},
}
