package datasink

import "fmt"

// maxCachePercent leaves memory for draining.
const maxCachePercent = 75

// cacheAlarms are the alarms of a cache with nodes. For a whole replication group
// ElastiCache publishes only the memory that counts for eviction, and evictions only for
// each node.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoScaling-Scaling-Policies-Target.html
var cacheAlarms = []alarm{
	{
		id:    "cache-memory",
		means: "The cache is filling up. When it is full, records become direct records, which are not on the tap.",
		first: "find the stream whose QueueDepth grows, and the reason why it does not drain. Then choose a larger cacheNodeType. More cacheShards do not help a stream with more than 256 MB of backlog, because it cannot move to another shard.",

		namespace: "AWS/ElastiCache", metric: "DatabaseMemoryUsageCountedForEvictPercentage", statistic: "Maximum", targets: cacheMemory,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(maxCachePercent, fmt.Sprintf("%d %%", maxCachePercent)),
	},
	{
		id:    "cache-evictions",
		means: "The cache evicts keys to free memory. Accepted records may be lost.",
		first: "set maxmemory-policy in the parameter group of the cache back to noeviction.",

		namespace: "AWS/ElastiCache", metric: "Evictions", statistic: "Sum", targets: cacheNodes,
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
}

// serverlessAlarms are the alarms of a serverless cache.
var serverlessAlarms = []alarm{
	{
		id:    "cache-memory",
		means: "The cache is filling up. When it reaches cacheMaxGB, records become direct records, which are not on the tap.",
		first: "find the stream whose QueueDepth grows, and the reason why it does not drain. Then increase cacheMaxGB.",

		namespace: "AWS/ElastiCache", metric: "BytesUsedForCache", statistic: "Maximum", targets: theServerlessCache,
		seconds: minute, datapoints: 3, periods: 5,
		limit: limit{
			fmt.Sprintf("%d %% of `cacheMaxGB`", maxCachePercent),
			func(w watched) float64 { return float64(w.CacheMaxGB) * 1e9 * maxCachePercent / 100 },
		},
	},
	{
		id:    "cache-throttles",
		means: "The cache throttles commands, because the load grew faster than the cache scales. Records become direct records, which are not on the tap.",
		first: "wait for some minutes: the cache doubles its capacity every 10 to 12 minutes. If it happens often, use cache=nodes.",

		namespace: "AWS/ElastiCache", metric: "ThrottledCmds", statistic: "Sum", targets: theServerlessCache,
		seconds: minute, datapoints: 3, periods: 5, limit: fixed(0, "0"),
	},
}
