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
	// maxCachePercent leaves memory for draining.
	maxCachePercent = 75
	// maxServerErrors and maxClientErrors are shares of all requests. A refused
	// request is, in practice, a lost record.
	maxServerErrors, maxClientErrors = 0.01, 0.05
)

// serviceAlarms are the alarms of the deployment, in the order of the pipeline. Each
// watches one metric, because CloudWatch charges for every metric of an expression:
//
//   - The average of 4xx and 5xx of an HTTP API is their share of the requests.
//   - For a whole replication group ElastiCache publishes only the memory that counts
//     for eviction, and evictions only for each node.
//     https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoScaling-Scaling-Policies-Target.html
//   - Kinesis publishes throttling for each stream. The drainer counts the records
//     that are throttled when it writes; a throttled bridge has a high iterator age.
var serviceAlarms = []alarm{
	{
		id:    "server-errors",
		means: "Requests are answered with 5xx. Their records are lost unless the clients retry.",
		first: "call GET /health. Search ingest's log for record_refused and archive_failed, and the access log of the API for integrationError.",

		namespace: "AWS/ApiGateway", metric: "5xx", statistic: "Average", targets: theAPI,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(maxServerErrors, share(maxServerErrors)),
	},
	{
		id:    "client-errors",
		means: "Requests are refused with 4xx, and their records are lost. 429 is the throttle of the API.",
		first: "find the code in the metrics whose names begin with Refused, and the client and the stream in ingest's log (record_refused, authentication_failed).",

		namespace: "AWS/ApiGateway", metric: "4xx", statistic: "Average", targets: theAPI,
		seconds: fiveMinutes, datapoints: 3, periods: 3, limit: fixed(maxClientErrors, share(maxClientErrors)),
	},
	{
		id:    "ingest-throttles",
		means: "Lambda throttles ingest, and clients get 503. Their records are lost unless the clients retry.",
		first: "increase ingestConcurrency, or the account's quota of concurrent executions.",

		namespace: "AWS/Lambda", metric: "Throttles", statistic: "Sum", targets: theFunction("ingest"),
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "fallback",
		means: "Ingest cannot push to Redis and writes direct records to the archive. Nothing is lost, but these records are not on the tap.",
		first: "search ingest's log for record_archived, which has the cause. Check that the cache is available and not full.",

		namespace: metric.Namespace, metric: metric.Archived("fallback").Name, statistic: "Sum", targets: theService,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
	{
		id:    "cache-memory",
		means: "The cache is filling up. When it is full, records become direct records, which are not on the tap.",
		first: "find the stream whose QueueDepth grows, and the reason why it does not drain. Then choose a larger cacheNodeType or more cacheShards.",

		namespace: "AWS/ElastiCache", metric: "DatabaseMemoryUsageCountedForEvictPercentage", statistic: "Maximum", targets: theCache,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(maxCachePercent, fmt.Sprintf("%d %%", maxCachePercent)),
	},
	{
		id:    "cache-evictions",
		means: "The cache evicts keys to free memory. Accepted records may be lost.",
		first: "set maxmemory-policy in the parameter group of the cache back to noeviction.",

		namespace: "AWS/ElastiCache", metric: "Evictions", statistic: "Sum", targets: cacheNodes,
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
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
		seconds: minute, datapoints: 5, periods: 5, limit: fixed(1, "1"), below: true, missing: missingIsFailed,
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
		means: "Kinesis throttles writes, and the queue of a stream grows.",
		first: "search the drainer's log for throttled, which names the stream. Increase its shards, or use capacity on-demand. A constant partition key loads only one shard.",

		namespace: metric.Namespace, metric: metric.Throttled.Name, statistic: "Sum", targets: theService,
		seconds: minute, datapoints: 10, periods: 15, limit: fixed(0, "0"),
	},
	{
		id:    "read-throttling",
		means: "The bridge is behind on a stream. Either other taps use the read capacity of the shards (2 MB/s and 5 reads a second each), or Firehose does not accept the records.",
		first: "find the stream with ReadProvisionedThroughputExceeded on the dashboard, and use enhanced fan-out for its taps. If there is none, search the bridge's log for undelivered.",

		namespace: "AWS/Lambda", metric: "IteratorAge", statistic: "Maximum", targets: theFunction("bridge"),
		seconds: minute, datapoints: 10, periods: 15, limit: fixed(slowTapSeconds*1000, fmt.Sprintf("%d s", slowTapSeconds)),
	},
	{
		id:    "dead-letters",
		means: "Records can never be delivered. They are in the archive under failed/.",
		first: "search the logs of the drainer and the bridge for records_put_aside, which has stream, key and reason. List the dead letters with datasink failed ls.",

		namespace: metric.Namespace, metric: metric.DeadLettered.Name, statistic: "Sum", targets: theService,
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

func share(of float64) string { return fmt.Sprintf("%g %% of the requests", of*100) }

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
