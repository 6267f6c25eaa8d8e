package datasink

import (
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

const (
	minute      = 60 // seconds
	fiveMinutes = 5 * minute
	day         = 24 * 60 * minute

	// maxWaitSeconds is how long a record may wait in the queue, which a sweep
	// looks after every minute.
	maxWaitSeconds = 5 * minute
	// maxTapSeconds is how far the bridge may be behind. Kinesis keeps records for
	// a day at least.
	maxTapSeconds = 10 * minute
	// slowTapSeconds is far more than the bridge's batching window.
	slowTapSeconds = 12 * bridgeWindow
	// freshnessMargin is what Firehose may take beyond its buffering time.
	freshnessMargin = 10 * minute
	// maxCachePercent leaves room to drain.
	maxCachePercent = 75
	// maxServerErrors and maxClientErrors are shares of all requests. Each is, in
	// practice, a lost record.
	maxServerErrors, maxClientErrors = 0.01, 0.05
)

// streamAlarms are those of each stream. Three is the most: a stream costs seven
// resources at most.
var streamAlarms = []alarm{
	{
		id:    "oldest-record",
		means: "Records of this stream wait in the queue and do not reach Kinesis.",
		first: "look for drain_failed and throttled of this stream in the drainer's log; when Kinesis throttles, give the stream more shards.",

		namespace: metric.Namespace, metric: metric.OldestRecordAge.Name, statistic: "Maximum", targets: theStream,
		seconds: minute, datapoints: 2, periods: 3, limit: fixed(maxWaitSeconds, fmt.Sprintf("%d min", maxWaitSeconds/minute)),
	},
	{
		id:    "iterator-age",
		means: "A reader of this stream's tap is behind: the bridge, or another that reads with GetRecords. What is older than the stream's retention is lost to it.",
		first: "look for undelivered and for errors of this stream in the bridge's log, and at ReadProvisionedThroughputExceeded: let busy taps use enhanced fan-out, or add shards.",

		namespace: "AWS/Kinesis", metric: "GetRecords.IteratorAgeMilliseconds", statistic: "Maximum", targets: resourceOf("StreamName"),
		seconds: minute, datapoints: 5, periods: 5, limit: fixed(maxTapSeconds*1000, fmt.Sprintf("%d min", maxTapSeconds/minute)),
	},
	{
		id:    "firehose-freshness",
		means: "Firehose does not write this stream's records to the archive. It tries for 24 hours, and then they are gone.",
		first: "read the log group of the Firehoses, and check that the bucket exists and that its policy lets the Firehose role write.",

		namespace: "AWS/Firehose", metric: "DeliveryToS3.DataFreshness", statistic: "Maximum", targets: resourceOf("DeliveryStreamName"),
		seconds: fiveMinutes, datapoints: 2, periods: 3,
		limit: limit{
			fmt.Sprintf("`bufferSeconds` + %d min", freshnessMargin/minute),
			func(w watched) float64 { return float64(w.stream.BufferSeconds + freshnessMargin) },
		},
	},
}

// serviceAlarms are those of the deployment, in the order of the pipeline. An
// alarm has one metric, for CloudWatch counts and charges each metric of an
// expression, and tells of a resource only by its own metric:
//
//   - The average of an HTTP API's 4xx and 5xx is their share of the requests.
//   - Of a whole replication group ElastiCache tells only what is counted for
//     eviction, which is what fills a cache up; of evictions it tells by node.
//     https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoScaling-Scaling-Policies-Target.html
//   - Kinesis tells of throttling by stream. The drainer counts what it meets in
//     writing; what a throttled bridge cannot read shows in its iterator age.
var serviceAlarms = []alarm{
	{
		id:    "server-errors",
		means: "Requests are answered with 5xx: their records are lost unless the clients try again.",
		first: "look at GET /health, at record_refused and archive_failed in ingest's log, and at integrationError in the API's access log.",

		namespace: "AWS/ApiGateway", metric: "5xx", statistic: "Average", targets: theAPI,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(maxServerErrors, share(maxServerErrors)),
	},
	{
		id:    "client-errors",
		means: "Requests are refused with 4xx: their records are lost. 429 among them is the API's throttle.",
		first: "see in the metrics that begin with Refused which code it is, and in ingest's log (record_refused, authentication_failed) which client and stream.",

		namespace: "AWS/ApiGateway", metric: "4xx", statistic: "Average", targets: theAPI,
		seconds: fiveMinutes, datapoints: 3, periods: 3, limit: fixed(maxClientErrors, share(maxClientErrors)),
	},
	{
		id:    "ingest-throttles",
		means: "Lambda refuses invocations of ingest, and clients read 503: their records are lost.",
		first: "raise ingestConcurrency, or the account's quota of concurrent executions.",

		namespace: "AWS/Lambda", metric: "Throttles", statistic: "Sum", targets: theFunction("ingest"),
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "fallback",
		means: "Ingest cannot push to Redis, and writes records straight to the archive: nothing is lost, but the tap misses them.",
		first: "look for record_archived in ingest's log, which has the cause, and see whether the cache is up and not full.",

		namespace: metric.Namespace, metric: metric.Archived("fallback").Name, statistic: "Sum", targets: theService,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
	{
		id:    "cache-memory",
		means: "The cache is filling up. When it is full, records go straight to the archive and the tap misses them.",
		first: "see which stream's QueueDepth grows and why it does not drain; then take a larger cacheNodeType or more cacheShards.",

		namespace: "AWS/ElastiCache", metric: "DatabaseMemoryUsageCountedForEvictPercentage", statistic: "Maximum", targets: theCache,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(maxCachePercent, fmt.Sprintf("%d %%", maxCachePercent)),
	},
	{
		id:    "cache-evictions",
		means: "The cache drops keys to make room: accepted records may be lost.",
		first: "set maxmemory-policy in the cache's parameter group back to noeviction.",

		namespace: "AWS/ElastiCache", metric: "Evictions", statistic: "Sum", targets: cacheNodes,
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "eviction-policy",
		means: "The eviction policy of Redis lets it drop records that were accepted, as soon as it is full.",
		first: "set maxmemory-policy to noeviction.",

		namespace: metric.Namespace, metric: metric.EvictionPolicyUnsafe.Name, statistic: "Maximum", targets: theService,
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "backlog",
		means: "More records wait in the queues than all drainers of a stream at once are meant for.",
		first: "see which stream's QueueDepth grows: if Kinesis throttles it, give it more shards; if not, look for drain_failed in the drainer's log.",

		namespace: metric.Namespace, metric: metric.QueueDepth.Name, statistic: "Maximum", targets: theService,
		seconds: minute, datapoints: 5, periods: 5,
		limit: limit{
			fmt.Sprintf("`streamDrainers` × %d records", scaleOutRecords()),
			func(w watched) float64 { return float64(w.streamDrainers * scaleOutRecords()) },
		},
	},
	{
		id:    "no-sweep",
		means: "No sweep has told how the queues stand: the drainer does not run, or cannot reach Redis. Records wait in the queue.",
		first: "read the last lines of the drainer's log, and check that its schedule is enabled and that the cache is up.",

		namespace: metric.Namespace, metric: metric.QueueDepth.Name, statistic: "SampleCount", targets: theService,
		seconds: minute, datapoints: 5, periods: 5, limit: fixed(1, "1"), below: true, silence: silenceIsFault,
	},
	{
		id:    "wake-dead-letters",
		means: "Drainers failed five times on a wake-up. Nothing is lost, for the sweep does its work, but something is wrong.",
		first: "look for errors in the drainer's log of that time; then purge the queue of dead letters.",

		namespace: "AWS/SQS", metric: "ApproximateNumberOfMessagesVisible", statistic: "Maximum",
		targets: one(func(w watched) []*string { return dims("QueueName", wakeDeadLetters(w.settings)) }),
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "write-throttling",
		means: "Kinesis refuses records for lack of throughput: the queue of a stream grows.",
		first: "look for throttled in the drainer's log, which names the stream, and give it more shards or capacity on-demand; a constant partition key loads one shard alone.",

		namespace: metric.Namespace, metric: metric.Throttled.Name, statistic: "Sum", targets: theService,
		seconds: minute, datapoints: 10, periods: 15, limit: fixed(0, "0"),
	},
	{
		id:    "read-throttling",
		means: "The bridge falls behind on some stream: other taps use up the shards' reads (2 MB/s and 5 a second each), or Firehose does not take the records.",
		first: "see on the dashboard which stream has ReadProvisionedThroughputExceeded, and let its taps use enhanced fan-out; without any, look for undelivered in the bridge's log.",

		namespace: "AWS/Lambda", metric: "IteratorAge", statistic: "Maximum", targets: theFunction("bridge"),
		seconds: minute, datapoints: 10, periods: 15, limit: fixed(slowTapSeconds*1000, fmt.Sprintf("%d s", slowTapSeconds)),
	},
	{
		id:    "dead-letters",
		means: "Records can never be delivered, and were put aside in the archive under failed/.",
		first: "look for records_put_aside in the logs of drainer and bridge: it has stream, key and reason.",

		namespace: metric.Namespace, metric: metric.DeadLettered.Name, statistic: "Sum", targets: theService,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "function-errors",
		means: "Invocations of this function end in errors or time-outs.",
		first: "read its log. Of ingest, clients read 500; of the drainer, records wait in the queue; of the bridge, they wait on the tap.",

		namespace: "AWS/Lambda", metric: "Errors", statistic: "Sum", targets: eachOf("ingest", "drainer", "bridge"),
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
	{
		id:    "function-throttles",
		means: "Lambda refuses invocations of this function: records wait, in the queue or on the tap.",
		first: "raise the account's quota of concurrent executions, or look which other function uses it up.",

		namespace: "AWS/Lambda", metric: "Throttles", statistic: "Sum", targets: eachOf("drainer", "bridge"),
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
}

// verifierAlarms are those of a deployment that has a verifier. Its errors have
// one of their own, for it runs once in hours.
var verifierAlarms = []alarm{
	{
		id:    "archive-differs",
		means: "What stands in the archive is not what the bridge sent there, or the counters of a queue do not add up.",
		first: "look for archive_differs in the verifier's log: it has stream, kind, object, bytes and reason; if the alarm firehose-freshness of that stream is on, mend that; then run datasink verify for the hours in its stream_verified line.",

		namespace: metric.Namespace, metric: metric.Differences.Name, statistic: "Maximum", targets: theService,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "verifier-errors",
		means: "The verifier could not verify every stream: something could not be read, or its 15 minutes were not enough. The hours that it left out are not looked at again.",
		first: "look for stream_unverified in the verifier's log, and run datasink verify for those hours; if the time was not enough, set a lower verifyHours.",

		namespace: "AWS/Lambda", metric: "Errors", statistic: "Sum", targets: theFunction(verifierFunction),
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "no-verification",
		means: "The verifier has verified no stream for two days.",
		first: "check that its schedule is enabled, and read the last lines of its log.",

		namespace: metric.Namespace, metric: metric.Differences.Name, statistic: "SampleCount", targets: theService,
		seconds: day, datapoints: 2, periods: 2, limit: fixed(1, "1"), below: true, silence: silenceIsFault,
	},
}

func share(of float64) string { return fmt.Sprintf("%g %% of the requests", of*100) }

// scaleOutRecords is the depth for which one drainer is enough.
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
